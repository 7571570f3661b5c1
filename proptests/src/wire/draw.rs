//! Values of all kinds out of a list of bytes, which proptest draws and shrinks.

/// Gives values until its bytes are used up, and then zeros and empty things.
#[derive(Debug)]
pub struct Draw<'a> {
    bytes: &'a [u8],
}

impl<'a> Draw<'a> {
    /// Draws from `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// As many bytes as asked.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.bytes.split_at(self.bytes.len().min(N));
        self.bytes = rest;
        let mut array = [0; N];
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// A coin's toss.
    pub fn flag(&mut self) -> bool {
        self.i8() & 1 == 1
    }

    /// Any number of 8 bits.
    pub fn i8(&mut self) -> i8 {
        i8::from_be_bytes(self.array())
    }

    /// Any number of 16 bits.
    pub fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.array())
    }

    /// Any number of 32 bits.
    pub fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.array())
    }

    /// Any number of 64 bits.
    pub fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.array())
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u8) -> u8 {
        self.array::<1>()[0] % bound
    }

    /// A short word, seldom empty.
    pub fn text(&mut self) -> String {
        (0..self.below(9)).map(|_| char::from(b'a' + self.below(26))).collect()
    }

    /// Something or nothing.
    pub fn option<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| draw(self))
    }

    /// None to three.
    pub fn list<T>(&mut self, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| draw(self)).collect()
    }
}
