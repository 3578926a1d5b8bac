//! Budgets by themselves.
