//! The channels of one scan, such as the sequences of one MR examination: a file for each, or one file of four dimensions.

use crate::{Affine, Image, Scan, ScanImage};
use std::borrow::Borrow;

/// An image with the name that an error should give it.
#[derive(Debug)]
pub struct NamedImage<S = Scan> {
    /// For people: its path.
    pub name: String,
    /// What the file holds.
    pub image: S,
}

/// The channels `names` of a scan in this order, all on one grid.
///
/// # Errors
/// A sentence for each problem, beginning with the name of the image: another number of images or volumes, no
/// usable affine, another shape or place in the world than the first channel's.
pub fn read_channels<'a, S: Borrow<Scan>>(
    images: &'a [NamedImage<S>],
    names: &[String],
) -> Result<Vec<ScanImage<'a>>, Vec<String>> {
    let mut problems = Vec::new();
    let mut channels: Vec<ScanImage> = Vec::with_capacity(names.len());
    for NamedImage { name, image } in images {
        // Of a file for each channel, none may hold several.
        let image = image.borrow();
        let volumes = if images.len() == 1 {
            image.images()
        } else {
            image.image().map(|volume| vec![volume])
        };
        match volumes {
            Ok(volumes) => channels.extend(volumes),
            Err(error) => problems.push(format!("{name}: {error}")),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if channels.len() != names.len() {
        let names_of_images: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        return Err(vec![format!(
            "{}: {} found, expected {}",
            names_of_images.join(", "),
            match (images.len(), channels.len()) {
                (1, 1) => "one volume is".to_owned(),
                (_, count) => format!("{count} volumes are"),
            },
            expected(names)
        )]);
    }
    let first = &channels[0];
    for (channel, NamedImage { name, .. }) in channels.iter().zip(images).skip(1) {
        let problem = grid_problem(
            (channel.shape(), &channel.affine()),
            (first.shape(), &first.affine()),
        );
        let of = format!("the first channel, {}", images[0].name);
        problems.extend(problem.map(|problem| format!("{name}: {problem} {of}")));
    }
    if problems.is_empty() {
        Ok(channels)
    } else {
        Err(problems)
    }
}

fn expected(names: &[String]) -> String {
    match names {
        [name] => format!("is one of three dimensions: {name}"),
        names => format!(
            "are {} channels in this order: {}; a file for each, or one file whose fourth dimension they are",
            names.len(),
            names.join(", ")
        ),
    }
}

/// Nothing, or the beginning of a sentence that goes on with what `expected` is the grid of.
///
/// # Shapes
/// Both shapes are `[z, y, x]`.
pub fn grid_problem(
    found: ([usize; 3], &Affine),
    expected: ([usize; 3], &Affine),
) -> Option<String> {
    if found.0 != expected.0 {
        return Some(format!(
            "has {:?} voxels (z, y, x), expected are {:?}, those of",
            found.0, expected.0
        ));
    }
    let apart_mm = found.1.corners_apart_mm(expected.1, expected.0);
    let allowed_mm = expected.1.tolerance_mm();
    // Not a number is not near.
    (apart_mm.is_nan() || apart_mm > allowed_mm).then(|| {
        format!(
            "lies up to {apart_mm:.3} mm (allowed are {allowed_mm:.3} mm, a hundredth of a voxel) away from"
        )
    })
}
