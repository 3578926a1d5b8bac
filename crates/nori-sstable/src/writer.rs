//! Appends blocks with their trailers to a file, in large writes.

use crate::error::Result;
use crate::format::{Handle, salt};
use nori_env::File;
use nori_env::sync::Arc;
use nori_types::Checksum;

/// Bytes gathered for one write.
const BUFFER_BYTES: usize = 256 << 10;

pub(crate) struct BlockWriter {
    file: Arc<dyn File>,
    id: u64,
    /// Bytes written to the file; the buffer's come behind.
    written: u64,
    buffer: Vec<u8>,
}

impl BlockWriter {
    pub(crate) fn new(file: Arc<dyn File>, id: u64) -> BlockWriter {
        BlockWriter { file, id, written: 0, buffer: Vec::new() }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Where the next block starts.
    pub(crate) fn offset(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Appends a payload, its tag and the checksum of both under their place.
    pub(crate) fn block(&mut self, payload: &[u8], tag: u8) -> Result<Handle> {
        let handle = Handle { offset: self.offset(), bytes: payload.len() as u64 };
        let mut sum = Checksum::new(salt(self.id, handle.offset));
        let sum = sum.update(payload).update(&[tag]).finish();
        self.append(payload)?;
        self.append(&[tag])?;
        self.append(&sum.to_le_bytes())?;
        Ok(handle)
    }

    /// Appends the footer and writes everything out.
    pub(crate) fn finish(&mut self, footer: &[u8]) -> Result<()> {
        self.append(footer)?;
        self.flush()
    }

    fn append(&mut self, data: &[u8]) -> Result<()> {
        if self.buffer.len() + data.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if data.len() > BUFFER_BYTES {
            self.file.write_at(data, self.written)?;
            self.written += data.len() as u64;
            return Ok(());
        }
        self.buffer.extend_from_slice(data);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
