//! What a scan's brightness says of each class, at the scan's own voxels.

/// Steps of brightness that are told apart.
pub const LEVELS: usize = u8::MAX as usize + 1;

/// How likely each class is by brightness alone: what is added to its logit at a voxel of the scan, where it has been interpolated.
///
/// A byte is held for each voxel, and a number for each class and step of brightness.
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihood {
    levels: Vec<u8>,
    of_class: Vec<[f32; LEVELS]>,
}

impl Likelihood {
    /// Of a scan's brightness in steps, and of what is added to each class's logit at each step.
    ///
    /// # Shapes
    /// `levels` is `[slice, row, column]` in the model's axis order, at the scan's own voxels
    pub fn new(levels: Vec<u8>, of_class: Vec<[f32; LEVELS]>) -> Self {
        Self { levels, of_class }
    }

    /// The same for logits that were divided by a temperature.
    #[must_use]
    pub fn at_temperature(mut self, temperature: f32) -> Self {
        let numbers = self.of_class.iter_mut().flatten();
        numbers.for_each(|number| *number /= temperature);
        self
    }

    /// What is added to a class's logit at each step of brightness.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn worth(&self, class: usize) -> [f32; LEVELS] {
        self.of_class[class]
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        self.levels.len() + size_of_val(&self.of_class[..])
    }

    /// Number of voxels and of classes.
    pub(crate) fn size(&self) -> [usize; 2] {
        [self.levels.len(), self.of_class.len()]
    }

    /// What is added to a class's logits at the voxels from `first` on.
    pub(crate) fn of(&self, class: usize, first: usize) -> impl Iterator<Item = f32> + '_ {
        let numbers = &self.of_class[class];
        let levels = self.levels[first..].iter();
        levels.map(|level| numbers[usize::from(*level)])
    }
}
