//! This program's numbers against those of the reference implementations (PyTorch, medpy).
//!
//! `DINOMED3D_REFERENCE` names a folder of them, laid out as its `README.md` says; without it
//! they are looked for beside the repository, and the tests skip, saying so, where there are none.

mod folder;
mod loss;
mod metrics;
mod networks;
