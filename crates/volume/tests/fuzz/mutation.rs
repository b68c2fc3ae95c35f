//! Changes of a file's bytes, the same for the same round.

use dinomed3d_volume::random::SplitMix64;

/// As far as the headers of most formats go, where a byte means more than further on.
const HEAD_BYTES: usize = 600;

pub struct Mutation {
    random: SplitMix64,
}

impl Mutation {
    pub fn new(round: u64) -> Self {
        Self {
            random: SplitMix64::new(round),
        }
    }

    /// A number from 0 to the one before `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.random.next_u64() >> 20) as usize % end.max(1)
    }

    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Changes bytes in one to eight places.
    pub fn change(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(8) {
            let end = match self.below(2) {
                0 => bytes.len(),
                _ => bytes.len().min(HEAD_BYTES),
            };
            let at = self.below(end);
            let longest = *self.choose(&[5, 65, 2001]);
            let some = self.below(longest);
            let until = (at + some).min(bytes.len());
            match self.below(12) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..until)),
                2 => {
                    let copy = bytes[at..until].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, copy);
                }
                3 => {
                    let copy = bytes[at..until].to_vec();
                    let to = self.below(bytes.len());
                    for (to, byte) in bytes[to..].iter_mut().zip(copy) {
                        *to = byte;
                    }
                }
                4 | 5 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                6 | 7 if !bytes.is_empty() => bytes[at] = self.below(256) as u8,
                8 => self.change_digit(bytes, at),
                _ => self.put_number(bytes, at),
            }
        }
    }

    /// Over bytes from `at` on, a number that is the least or the largest of its kind, or near.
    fn put_number(&mut self, bytes: &mut [u8], at: usize) {
        let extremes = [
            0,
            1,
            2,
            u64::MAX,
            u64::MAX >> 1,
            1 << 63,
            1 << 31,
            1 << 16,
            1 << 15,
            255,
        ];
        let mut number = *self.choose(&extremes);
        if self.below(4) == 0 {
            number = self.random.next_u64() >> self.below(64);
        }
        let mut encoded = match self.below(6) {
            0 => (number as f32).to_le_bytes().to_vec(),
            1 => (number as f64 * 1e290).to_le_bytes().to_vec(),
            _ => number.to_le_bytes()[..*self.choose(&[1, 2, 2, 4, 4, 8])].to_vec(),
        };
        if self.below(3) == 0 {
            encoded.reverse();
        }
        for (byte, new) in bytes.iter_mut().skip(at).zip(encoded) {
            *byte = new;
        }
    }

    /// Some digit from `at` on becomes another letter of a number, where numbers are text.
    fn change_digit(&mut self, bytes: &mut [u8], at: usize) {
        let letter = *self.choose(b"0123456789.-+eE\\ ");
        if let Some(digit) = bytes.iter_mut().skip(at).find(|byte| byte.is_ascii_digit()) {
            *digit = letter;
        }
    }
}
