//! This program's numbers against those of the reference implementations (PyTorch, medpy).
//!
//! They lie in `numbers`, whose `README.md` says what was run; `DINOMED3D_REFERENCE` names another folder of them.

mod folder;
mod loss;
mod metrics;
mod networks;
