//! How far a command is, on one line of stderr.

/// Counts along one line.
#[derive(Debug)]
pub struct Counting(&'static str);

impl Counting {
    /// With what goes before the number.
    pub fn new(what: &'static str) -> Self {
        Self(what)
    }

    /// The number under way, from 1, and of how many; the last one ends the line.
    pub fn show(&mut self, number: usize, count: usize) {
        let end = if number == count { "\n" } else { "" };
        eprint!("\r{} {number} of {count}{end}", self.0);
    }
}
