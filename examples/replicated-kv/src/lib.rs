//! A replicated, ordered key-value service: openraft for consensus, nori for everything on disk.
//!
//! [`server`] is a member, [`client`] one who asks them; [`app`] is what is replicated,
//! [`network`] and [`wire`] how members reach each other.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // A program on a real machine.

pub mod app;
pub mod client;
pub mod cluster;
pub mod network;
pub mod server;
pub mod wire;
