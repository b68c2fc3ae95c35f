//! The page's side of the work, told what a browser would tell it: a file for each part of it that is told.

mod channels;
mod choice;
mod closer;
mod desk;
mod inside;
mod list;
mod mended;
mod models;
mod opening;
mod own;
mod probabilities;
mod running;
mod segmentation;
mod worker;
