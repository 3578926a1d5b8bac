//! Cutting structured choices out of a fuzzer's bytes.

/// Reads choices from the front of the bytes. At their end every choice is 0 or empty, so any
/// input is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn u8(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((&first, rest)) => {
                self.bytes = rest;
                first
            }
            None => 0,
        }
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.u8()))
    }

    /// Up to 255 bytes behind their length.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let len = usize::from(self.u8()).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        piece
    }

    /// Up to 65,535 bytes behind their length.
    pub(crate) fn long_piece(&mut self) -> &'a [u8] {
        let len = usize::from(self.u16()).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        piece
    }
}
