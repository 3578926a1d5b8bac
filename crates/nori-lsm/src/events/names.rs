//! What the kinds of events are called.

use super::VizEvent;

impl VizEvent {
    /// The names of all kinds of events.
    pub const NAMES: &[&str] = &[
        "WalSynced",
        "MemtableRotated",
        "FlushStarted",
        "Flush",
        "CompactionStarted",
        "Compaction",
        "SlotSplit",
        "SlotsMerged",
        "HeatChanged",
        "BanditSelection",
        "BanditReward",
        "PressureZone",
        "StallBegan",
        "StallEnded",
        "KeyspaceCreated",
        "KeyspaceDropped",
        "CheckpointStarted",
        "CheckpointEnded",
        "SnapshotCreated",
        "SnapshotReleased",
        "TableCreated",
        "TableDeleted",
        "WalSegmentDeleted",
        "Corruption",
        "BackgroundError",
    ];

    /// The name of its kind, as serde writes it.
    pub fn name(&self) -> &'static str {
        match self {
            VizEvent::WalSynced { .. } => "WalSynced",
            VizEvent::MemtableRotated { .. } => "MemtableRotated",
            VizEvent::FlushStarted { .. } => "FlushStarted",
            VizEvent::Flush { .. } => "Flush",
            VizEvent::CompactionStarted { .. } => "CompactionStarted",
            VizEvent::Compaction { .. } => "Compaction",
            VizEvent::SlotSplit { .. } => "SlotSplit",
            VizEvent::SlotsMerged { .. } => "SlotsMerged",
            VizEvent::HeatChanged { .. } => "HeatChanged",
            VizEvent::BanditSelection { .. } => "BanditSelection",
            VizEvent::BanditReward { .. } => "BanditReward",
            VizEvent::PressureZone { .. } => "PressureZone",
            VizEvent::StallBegan { .. } => "StallBegan",
            VizEvent::StallEnded { .. } => "StallEnded",
            VizEvent::KeyspaceCreated { .. } => "KeyspaceCreated",
            VizEvent::KeyspaceDropped { .. } => "KeyspaceDropped",
            VizEvent::CheckpointStarted { .. } => "CheckpointStarted",
            VizEvent::CheckpointEnded { .. } => "CheckpointEnded",
            VizEvent::SnapshotCreated { .. } => "SnapshotCreated",
            VizEvent::SnapshotReleased { .. } => "SnapshotReleased",
            VizEvent::TableCreated { .. } => "TableCreated",
            VizEvent::TableDeleted { .. } => "TableDeleted",
            VizEvent::WalSegmentDeleted { .. } => "WalSegmentDeleted",
            VizEvent::Corruption { .. } => "Corruption",
            VizEvent::BackgroundError { .. } => "BackgroundError",
        }
    }
}
