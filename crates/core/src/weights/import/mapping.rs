//! From a checkpoint's tensors to ours.

use super::identify::{Identity, Source};
use super::rules::{Rule, Rules, Theirs, matches};
use super::{Checkpoint, ImportError, Mismatch};
use crate::weights::{NamedTensor, NamedTensors};
use std::collections::{BTreeMap, BTreeSet};

/// How much of a checkpoint is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    Whole,
    /// The transformer only; heads and decoders may be left over.
    Transformer,
}

/// What was taken over.
#[derive(Debug)]
pub struct Imported {
    /// Under our names.
    pub tensors: NamedTensors,
    /// Our name and theirs, parameter by parameter.
    pub mapped: Vec<(String, Vec<String>)>,
    /// Known and of no use.
    pub ignored: Vec<String>,
    /// Tensors outside the weights, such as an optimiser's.
    pub outside: usize,
}

/// Takes the parameters `wanted` (name and shape, ours) from a checkpoint.
///
/// # Errors
/// [`ImportError::Mismatch`], naming every tensor that is missing, left over or of another shape;
/// nothing has been read then. [`ImportError::Tensor`], [`ImportError::NotFinite`].
pub fn import(
    checkpoint: &Checkpoint,
    identity: &Identity,
    wanted: &BTreeMap<String, Vec<usize>>,
    scope: Scope,
) -> Result<Imported, ImportError> {
    let rules = match identity.rules(checkpoint) {
        Some(rules) => rules,
        None => own_names(&identity.prefix, wanted),
    };
    let mut mismatch = Mismatch::default();
    let mut found = Vec::with_capacity(wanted.len());
    let mut used = BTreeSet::new();
    for (ours, shape) in wanted {
        let Some(theirs) = rules.theirs(ours) else {
            mismatch.missing.push(format!("{ours} (ours)"));
            continue;
        };
        for name in theirs.names() {
            used.insert(name.to_owned());
        }
        check(checkpoint, &theirs, shape, &mut mismatch);
        found.push((ours, shape, theirs));
    }
    let mut ignored = Vec::new();
    let mut outside = 0;
    for name in checkpoint.names() {
        if used.contains(name) {
        } else if !name.starts_with(&identity.prefix) {
            outside += 1;
        } else if identity.ignores(name) {
            ignored.push(name.to_owned());
        } else if scope == Scope::Whole || is_of_transformer(identity, &rules.0, name) {
            mismatch.left_over.push(name.to_owned());
        } else {
            outside += 1;
        }
    }
    if !mismatch.is_empty() {
        return Err(ImportError::Mismatch(Box::new(mismatch)));
    }
    let mut tensors = NamedTensors::new();
    let mut mapped = Vec::with_capacity(found.len());
    for (ours, shape, theirs) in found {
        tensors.insert(ours.clone(), fetch(checkpoint, &theirs, shape)?);
        let names = theirs.names().into_iter().map(str::to_owned).collect();
        mapped.push((ours.clone(), names));
    }
    Ok(Imported {
        tensors,
        mapped,
        ignored,
        outside,
    })
}

fn own_names(prefix: &str, wanted: &BTreeMap<String, Vec<usize>>) -> Rules {
    let rules = wanted.keys().map(|name| Rule {
        ours: name.clone(),
        theirs: Theirs::Same(format!("{prefix}{name}")),
    });
    Rules(rules.collect())
}

/// Whether a tensor would be of the transformer, or is not known at all.
fn is_of_transformer(identity: &Identity, rules: &[Rule], theirs: &str) -> bool {
    if identity.source == Source::DinoMed3d {
        let name = theirs.strip_prefix(&identity.prefix).unwrap_or(theirs);
        return name.starts_with("vit.");
    }
    let mut others = rules.iter().filter(|rule| !rule.ours.starts_with("vit."));
    !others.any(|rule| {
        let names = rule.theirs.names();
        names.iter().any(|name| matches(name, theirs).is_some())
    })
}

/// Notes what keeps `theirs` from becoming a tensor of `shape`.
fn check(checkpoint: &Checkpoint, theirs: &Theirs, shape: &[usize], mismatch: &mut Mismatch) {
    let mut expect =
        |name: &str, expected: Vec<usize>, is_alike: &dyn Fn(&[usize]) -> bool| match checkpoint
            .shape(name)
        {
            None => mismatch.missing.push(name.to_owned()),
            Some(found) if !is_alike(&found) => {
                mismatch.shapes.push((name.to_owned(), found, expected));
            }
            Some(_) => {}
        };
    match theirs {
        // Ones at the end make no difference: a 1×1×1 convolution is a matrix.
        Theirs::Same(name) => expect(name, shape.to_vec(), &|found| {
            found
                .strip_prefix(shape)
                .is_some_and(|rest| rest.iter().all(|edge| *edge == 1))
        }),
        Theirs::Matrix(name) => expect(name, vec![shape[1], shape[0]], &|found| {
            found.first() == Some(&shape[1]) && found[1..].iter().product::<usize>() == shape[0]
        }),
        Theirs::Matrices(names) => {
            let rows = shape[1] / names.len();
            for name in names {
                expect(name, vec![rows, shape[0]], &|found| {
                    found == [rows, shape[0]]
                });
            }
        }
        Theirs::Vectors(names) => {
            let length = shape[0] / names.len();
            for name in names.iter().flatten() {
                expect(name, vec![length], &|found| found == [length]);
            }
        }
        Theirs::Zeros => {}
    }
}

/// Reads what [`check`] found fitting.
fn fetch(
    checkpoint: &Checkpoint,
    theirs: &Theirs,
    shape: &[usize],
) -> Result<NamedTensor, ImportError> {
    let values = match theirs {
        Theirs::Same(name) => checkpoint.read(name)?.values,
        Theirs::Matrix(name) => {
            let matrix = checkpoint.read(name)?;
            let mut values = vec![0.0; matrix.values.len()];
            transpose_into(&mut values, &matrix.values, shape[0], shape[1], 0);
            values
        }
        Theirs::Matrices(names) => {
            let mut values = vec![0.0; shape.iter().product()];
            let rows = shape[1] / names.len();
            for (part, name) in names.iter().enumerate() {
                let matrix = checkpoint.read(name)?;
                transpose_into(&mut values, &matrix.values, shape[0], shape[1], part * rows);
            }
            values
        }
        Theirs::Vectors(names) => {
            let length = shape[0] / names.len();
            let mut values = Vec::with_capacity(shape[0]);
            for name in names {
                match name {
                    Some(name) => values.extend(checkpoint.read(name)?.values),
                    None => values.resize(values.len() + length, 0.0),
                }
            }
            values
        }
        Theirs::Zeros => vec![0.0; shape.iter().product()],
    };
    Ok(NamedTensor {
        shape: shape.to_vec(),
        values,
    })
}

/// Writes `[row, input]` of `matrix` to `[input, first + row]` of `values`.
fn transpose_into(
    values: &mut [f32],
    matrix: &[f32],
    num_inputs: usize,
    num_outputs: usize,
    first: usize,
) {
    for (row, line) in matrix.chunks_exact(num_inputs).enumerate() {
        for (input, value) in line.iter().enumerate() {
            values[input * num_outputs + first + row] = *value;
        }
    }
}
