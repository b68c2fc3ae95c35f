//! What a person paints with.

/// The narrowest and the widest ball.
pub const SIZES_MM: [f64; 2] = [0.5, 50.0];

/// What a stroke does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Paints the label.
    Brush,
    /// Takes labels away.
    Erase,
    /// Gives all that is connected with a voxel, and labelled as it is, the label.
    Fill,
}

/// How a stroke is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pen {
    /// What it does.
    pub tool: Tool,
    /// The chosen label.
    pub label: u8,
    /// Diameter of the ball.
    pub size_mm: f64,
    /// Whether it goes over slices: a ball and not a disc, what is connected in the volume and not in the plane.
    pub is_solid: bool,
    /// Whether only the background and the chosen label may change.
    pub keeps_others: bool,
}

impl Default for Pen {
    fn default() -> Self {
        Self {
            tool: Tool::Brush,
            label: 1,
            size_mm: 4.0,
            is_solid: true,
            keeps_others: false,
        }
    }
}

impl Pen {
    /// Another size, within [`SIZES_MM`].
    pub fn sized(self, size_mm: f64) -> Self {
        let [least, most] = SIZES_MM;
        Self {
            size_mm: size_mm.clamp(least, most),
            ..self
        }
    }

    /// The label that it leaves.
    pub(super) fn leaves(&self) -> u8 {
        match self.tool {
            Tool::Erase => 0,
            Tool::Brush | Tool::Fill => self.label,
        }
    }

    /// Whether it may change a voxel of that label.
    pub(super) fn changes(&self, label: u8) -> bool {
        label != self.leaves() && !(self.keeps_others && label != 0 && label != self.label)
    }
}
