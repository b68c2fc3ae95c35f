//! Failures on purpose. Only a test asks for one, with `fault` in the page's address; the page hands it to its first
//! worker and to none after it.

use std::cell::RefCell;

/// What is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A panic during a segmentation.
    Panic,
    /// An allocation that fails during a segmentation.
    Memory,
    /// A graphics device that is lost during a segmentation.
    DeviceLost,
    /// WebGPU passes for real on any adapter, and then gives a wrong answer in the model's check.
    Check,
}

type Action = Box<dyn FnOnce()>;

thread_local! {
    static LATER: RefCell<Option<Action>> = const { RefCell::new(None) };
}

impl Fault {
    /// The fault called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "panic" => Some(Self::Panic),
            "memory" => Some(Self::Memory),
            "device-lost" => Some(Self::DeviceLost),
            "check" => Some(Self::Check),
            _ => None,
        }
    }

    /// Keeps the way to lose the device.
    pub fn lose_later(lose: impl FnOnce() + 'static) {
        LATER.with(|later| *later.borrow_mut() = Some(Box::new(lose)));
    }

    /// Fails, if this is a fault of a segmentation.
    pub fn strike(self) {
        match self {
            Self::Panic => panic!("a test asked for this panic"),
            Self::Memory => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(Vec::<u8>::with_capacity(1 << 30)));
                }
            }
            Self::DeviceLost => {
                let lose = LATER.with(|later| later.borrow_mut().take());
                if let Some(lose) = lose {
                    lose();
                }
            }
            Self::Check => {}
        }
    }
}
