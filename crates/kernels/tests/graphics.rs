//! Kernels for graphics processors against the same computed plainly, at sizes of which few are multiples of what a unit holds.

#![allow(
    unsafe_code,
    reason = "buffers are handed to kernels with the length that they were made with"
)]

use cubecl::client::Client;
use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::BufferArg;
use cubecl::server::Handle;
use dinomed3d_kernels::Activation;
use dinomed3d_kernels::graphics::{
    self, Bias, Grids, Groups, Heads, Matrices, Numbers, On, Rows, Volumes,
};
use half::f16;

/// Room beyond what kernels write, which they have to leave as it is.
const BEYOND: usize = 64;
const UNTOUCHED: f32 = 77.0;

/// An adapter, and how numbers lie in it.
struct Device(Client, Numbers);

impl Device {
    /// The adapter that the system's loader finds, with numbers of all kinds that it has.
    fn all() -> Vec<Self> {
        let client = cubecl::Device::default().client();
        let half = ElemType::Float(FloatKind::F16);
        let has_half = !client.properties().type_usage(half).is_empty();
        if !has_half {
            println!("numbers of 16 bits: skipped, as the adapter has none");
        }
        let mut all = vec![Self(client.clone(), Numbers::Single)];
        all.extend(has_half.then_some(Self(client, Numbers::Half)));
        all
    }

    fn on(&self) -> On<'_> {
        On {
            client: &self.0,
            numbers: self.1,
        }
    }

    fn bytes(&self, values: &[f32]) -> Vec<u8> {
        let single = values.iter().flat_map(|value| value.to_le_bytes());
        let half = values.iter().map(|value| f16::from_f32(*value));
        match self.1 {
            Numbers::Single => single.collect(),
            Numbers::Half => half.flat_map(f16::to_le_bytes).collect(),
        }
    }

    fn hold(&self, values: &[f32]) -> BufferArg {
        arg(self.0.create_from_slice(&self.bytes(values)), values.len())
    }

    /// What a kernel makes of room for `count` numbers, and that it wrote nothing beyond.
    fn result(&self, count: usize, kernel: impl FnOnce(BufferArg)) -> Vec<f32> {
        let room = vec![UNTOUCHED; count + BEYOND];
        let handle = self.0.create_from_slice(&self.bytes(&room));
        kernel(arg(handle.clone(), room.len()));
        let read = self.0.read_one(handle).expect("what was computed");
        let single = |number: &[u8]| f32::from_le_bytes(number.try_into().unwrap());
        let half = |number: &[u8]| f16::from_le_bytes(number.try_into().unwrap()).to_f32();
        let mut values: Vec<f32> = match self.1 {
            Numbers::Single => read.chunks_exact(4).map(single).collect(),
            Numbers::Half => read.chunks_exact(2).map(half).collect(),
        };
        assert!(values[count..].iter().all(|beyond| *beyond == UNTOUCHED));
        values.truncate(count);
        values
    }

    /// That sums are of single precision: beside them, there is one rounding at the end.
    fn assert_close(&self, found: &[f32], expected: &[f64], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let most = expected.iter().fold(0.0, |most: f64, e| most.max(e.abs()));
        let of_sum = 1e-5 * most;
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let of_end = match self.1 {
                Numbers::Single => 0.0,
                // Half of the last of eleven bits, or of the smallest number.
                Numbers::Half => expected.abs() / 2048.0 + 3e-8,
            };
            let is_close = (f64::from(*found) - expected).abs() <= of_sum + of_end;
            assert!(
                is_close,
                "{:?}, {what}: {found}, not {expected}, at {at}",
                self.1
            );
        }
    }
}

fn arg(handle: Handle, length: usize) -> BufferArg {
    unsafe { BufferArg::from_raw_parts(handle, length) }
}

/// Numbers between −1 and 1 without an order to them, others for each `seed`, of as many bits as half precision has.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 53) as f32 / 1024.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// By formula 7.1.26 of Abramowitz and Stegun, which is off by 1.5e-7 at most.
fn erf(x: f64) -> f64 {
    let t = (1.0 + 0.327_591_1 * x.abs()).recip();
    let terms = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    (1.0 - sum * (-x * x).exp()).copysign(x)
}

fn activated(x: f64, activation: Activation) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Gelu => x * 0.5 * (1.0 + erf(x / 2f64.sqrt())),
    }
}

/// Where a place of a small kernel lies in a volume, if it lies within.
fn beside(
    at: [usize; 3],
    offset: usize,
    kernel: [usize; 3],
    stride: usize,
    shape: [usize; 3],
) -> Option<usize> {
    let from = [
        at[0] + offset / kernel[2] / kernel[1],
        at[1] * stride + offset / kernel[2] % kernel[1],
        at[2] * stride + offset % kernel[2],
    ];
    let mut place = 0;
    for axis in 0..3 {
        let seen = from[axis].checked_sub(kernel[axis] / 2);
        place = place * shape[axis] + seen.filter(|seen| *seen < shape[axis])?;
    }
    Some(place)
}

fn indices(place: usize, shape: [usize; 3]) -> [usize; 3] {
    let line = place / shape[2];
    [line / shape[1], line % shape[1], place % shape[2]]
}

#[test]
fn products() {
    Device::all().iter().for_each(compare_products);
}

fn compare_products(device: &Device) {
    for [rows, inner, columns] in [
        [1, 4, 8],
        [7, 4, 16],
        [8, 12, 8],
        [9, 20, 24],
        [50, 36, 200],
    ] {
        let matrices = Matrices {
            rows,
            inner,
            columns,
        };
        assert!(matrices.fit());
        let (first, second) = (numbers(rows * inner, 1), numbers(inner * columns, 2));
        for (has_bias, is_of_rows, activation) in [
            (false, false, Activation::Identity),
            (true, true, Activation::Relu),
            (true, false, Activation::Gelu),
        ] {
            let shift = numbers(if is_of_rows { rows } else { columns }, 3);
            let found = device.result(rows * columns, |result| {
                let bias = has_bias.then(|| match is_of_rows {
                    true => Bias::OfRows(device.hold(&shift)),
                    false => Bias::OfColumns(device.hold(&shift)),
                });
                let [first, second] = [&first, &second].map(|values| device.hold(values));
                graphics::product(
                    device.on(),
                    matrices,
                    first,
                    second,
                    bias,
                    result,
                    activation,
                );
            });
            let number = |i: usize| {
                let (row, column) = (i / columns, i % columns);
                let mut sum = match (has_bias, is_of_rows) {
                    (false, _) => 0.0,
                    (true, true) => f64::from(shift[row]),
                    (true, false) => f64::from(shift[column]),
                };
                for k in 0..inner {
                    sum +=
                        f64::from(first[row * inner + k]) * f64::from(second[k * columns + column]);
                }
                activated(sum, activation)
            };
            let expected: Vec<f64> = (0..rows * columns).map(number).collect();
            device.assert_close(&found, &expected, &format!("{matrices:?}"));
        }
    }
}

#[test]
fn convolutions() {
    Device::all().iter().for_each(compare_convolutions);
}

fn compare_convolutions(device: &Device) {
    for (batch, inputs, outputs, shape) in [
        (1, 1, 8, [1, 1, 1]),
        (1, 3, 8, [2, 3, 5]),
        (2, 5, 16, [3, 4, 9]),
        (1, 8, 24, [4, 7, 17]),
    ] {
        for (stride, has_bias) in [(1, true), (2, false), (2, true)] {
            let volumes = Volumes {
                batch,
                inputs,
                outputs,
                shape,
                stride,
            };
            assert!(volumes.fit());
            let [of_volume, of_result] =
                [shape, volumes.result_shape()].map(|shape| shape.iter().product::<usize>());
            let values = numbers(batch * inputs * of_volume, 1);
            let weight = numbers(inputs * 27 * outputs, 2);
            let shift = numbers(outputs, 3);
            let found = device.result(batch * outputs * of_result, |result| {
                let bias = has_bias.then(|| device.hold(&shift));
                let [values, weight] = [&values, &weight].map(|values| device.hold(values));
                graphics::convolve(device.on(), volumes, values, weight, bias, result);
            });
            let number = |i: usize| {
                let at = indices(i % of_result, volumes.result_shape());
                let (output, volume) = (i / of_result % outputs, i / of_result / outputs);
                let mut sum = if has_bias { shift[output].into() } else { 0.0 };
                for input in 0..inputs {
                    for offset in 0..27 {
                        if let Some(place) = beside(at, offset, [3; 3], stride, shape) {
                            let value = values[(volume * inputs + input) * of_volume + place];
                            let weight = weight[(input * 27 + offset) * outputs + output];
                            sum += f64::from(value) * f64::from(weight);
                        }
                    }
                }
                sum
            };
            let expected: Vec<f64> = (0..found.len()).map(number).collect();
            device.assert_close(&found, &expected, &format!("{volumes:?}"));
        }
    }
}

#[test]
fn depthwise_convolutions() {
    Device::all()
        .iter()
        .for_each(compare_depthwise_convolutions);
}

fn compare_depthwise_convolutions(device: &Device) {
    for (batch, shape, channels, kernel) in [
        (1, [1, 1, 1], 4, [3, 3, 3]),
        (2, [3, 2, 5], 12, [3, 3, 3]),
        (1, [4, 5, 3], 20, [5, 3, 1]),
        (1, [2, 3, 3], 8, [5, 5, 5]),
    ] {
        let grids = Grids {
            batch,
            shape,
            channels,
            kernel,
        };
        assert!(grids.fit());
        let [places, offsets] = [shape, kernel].map(|edges| edges.iter().product::<usize>());
        let grid = numbers(batch * places * channels, 1);
        let (weight, shift) = (numbers(offsets * channels, 2), numbers(channels, 3));
        let found = device.result(grid.len(), |result| {
            let [grid, weight, bias] = [&grid, &weight, &shift].map(|values| device.hold(values));
            graphics::depthwise(device.on(), grids, grid, weight, bias, result);
        });
        let number = |i: usize| {
            let (channel, place) = (i % channels, i / channels);
            let at = indices(place % places, shape);
            let mut sum = f64::from(shift[channel]);
            for offset in 0..offsets {
                if let Some(seen) = beside(at, offset, kernel, 1, shape) {
                    let value = grid[(place / places * places + seen) * channels + channel];
                    sum += f64::from(value) * f64::from(weight[offset * channels + channel]);
                }
            }
            sum
        };
        let expected: Vec<f64> = (0..grid.len()).map(number).collect();
        device.assert_close(&found, &expected, &format!("{grids:?}"));
    }
}

/// Values far from zero, as their squares lose digits; of as many bits as half precision has there.
fn far_from_zero(count: usize) -> Vec<f32> {
    let moved = |value: &f32| (value * 256.0).round() / 256.0 + 3.0;
    numbers(count, 1).iter().map(moved).collect()
}

fn normed(values: &[f32], epsilon: f32) -> impl Fn(f32) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let squares = values.iter().map(|v| (f64::from(*v) - mean).powi(2));
    let deviation = (squares.sum::<f64>() / count + f64::from(epsilon)).sqrt();
    move |value| (f64::from(value) - mean) / deviation
}

#[test]
fn norms_of_groups() {
    Device::all().iter().for_each(compare_norms_of_groups);
}

fn compare_norms_of_groups(device: &Device) {
    let epsilon = 1e-5;
    for ([batch, groups, channels, voxels], activation) in [
        ([1, 1, 1, 4], Activation::Identity),
        ([2, 3, 1, 20], Activation::Relu),
        ([1, 2, 3, 1028], Activation::Gelu),
        ([2, 5, 2, 36], Activation::Identity),
    ] {
        let sizes = Groups {
            batch,
            groups,
            channels,
            voxels,
            epsilon,
        };
        assert!(sizes.fit());
        let length = channels * voxels;
        let values = far_from_zero(batch * groups * length);
        let (weight, shift) = (numbers(groups * channels, 2), numbers(groups * channels, 3));
        for is_affine in [true, false] {
            let found = device.result(values.len(), |result| {
                let affine = [&weight, &shift].map(|v| is_affine.then(|| device.hold(v)));
                let sums = vec![0; 4 * sizes.of_sums()];
                let sums = device.0.create_from_slice(&sums);
                let values = device.0.create_from_slice(&device.bytes(&values));
                let length = sizes.batch * sizes.groups * length;
                let values = || arg(values.clone(), length);
                let sums = || arg(sums.clone(), sizes.of_sums());
                graphics::group_norm(device.on(), sizes, values, affine, sums, result, activation);
            });
            let number = |i: usize| {
                let group = &values[i / length * length..][..length];
                let mut value = normed(group, epsilon)(values[i]);
                if is_affine {
                    let channel = i / voxels % (groups * channels);
                    value = value * f64::from(weight[channel]) + f64::from(shift[channel]);
                }
                activated(value, activation)
            };
            let expected: Vec<f64> = (0..values.len()).map(number).collect();
            device.assert_close(&found, &expected, &format!("{sizes:?}, {activation:?}"));
        }
    }
}

#[test]
fn norms_of_rows() {
    Device::all().iter().for_each(compare_norms_of_rows);
}

fn compare_norms_of_rows(device: &Device) {
    let epsilon = 1e-5;
    for [rows, width] in [[1, 4], [3, 20], [70, 64]] {
        let sizes = Rows {
            rows,
            width,
            epsilon,
        };
        assert!(sizes.fit());
        let values = far_from_zero(rows * width);
        let (weight, shift) = (numbers(width, 2), numbers(width, 3));
        for has_bias in [true, false] {
            let found = device.result(values.len(), |result| {
                let bias = has_bias.then(|| device.hold(&shift));
                let [values, weight] = [&values, &weight].map(|values| device.hold(values));
                graphics::layer_norm(device.on(), sizes, values, weight, bias, result);
            });
            let number = |i: usize| {
                let row = &values[i / width * width..][..width];
                let value = normed(row, epsilon)(values[i]) * f64::from(weight[i % width]);
                value
                    + if has_bias {
                        shift[i % width].into()
                    } else {
                        0.0
                    }
            };
            let expected: Vec<f64> = (0..values.len()).map(number).collect();
            device.assert_close(&found, &expected, &format!("{sizes:?}"));
        }
    }
}

#[test]
fn attention() {
    Device::all().iter().for_each(compare_attention);
}

fn compare_attention(device: &Device) {
    for [images, tokens, heads, head_dim] in [
        [1, 1, 1, 8],
        [2, 3, 1, 16],
        [1, 5, 3, 24],
        [3, 33, 2, 64],
        [1, 9, 1, 128],
    ] {
        let sizes = Heads {
            images,
            tokens,
            heads,
            head_dim,
        };
        assert!(sizes.fit());
        // Scores far from each other: a highest one so far is passed more than once.
        let mut joined = numbers(3 * sizes.of_keys(), 1);
        joined.iter_mut().for_each(|number| *number *= 2.0);
        let angles = numbers(tokens * head_dim, 2);
        let turn = [f32::cos, f32::sin].map(|of| {
            let value = |angle: &f32| f16::from_f32(of(*angle)).to_f32();
            angles.iter().map(value).collect()
        });
        let turn: [Vec<f32>; 2] = turn;
        let hold_turn = || [0, 1].map(|i| device.hold(&turn[i]));
        let keys = device.result(sizes.of_keys(), |keys| {
            graphics::turn_keys(device.on(), sizes, device.hold(&joined), hold_turn(), keys);
        });
        let found = device.result(sizes.of_keys(), |result| {
            let [joined, keys] = [&joined, &keys].map(|values| device.hold(values));
            graphics::attention(device.on(), sizes, joined, hold_turn(), keys, result);
        });
        let part_of = |token: usize, which: usize, head: usize, part: usize| {
            f64::from(joined[((token * 3 + which) * heads + head) * head_dim + part])
        };
        let turned = |token: usize, which: usize, head: usize| -> Vec<f64> {
            let half = head_dim / 2;
            let of_part = |part: usize| {
                let other = match part < half {
                    true => -part_of(token, which, head, part + half),
                    false => part_of(token, which, head, part - half),
                };
                let [cos, sin] =
                    [0, 1].map(|i| f64::from(turn[i][token % tokens * head_dim + part]));
                part_of(token, which, head, part) * cos + other * sin
            };
            (0..head_dim).map(of_part).collect()
        };
        let mut expected = Vec::new();
        for (image, head) in (0..images * heads).map(|i| (i / heads, i % heads)) {
            let of_image = image * tokens..(image + 1) * tokens;
            expected.extend(of_image.flat_map(|token| turned(token, 1, head)));
        }
        device.assert_close(&keys, &expected, &format!("keys of {sizes:?}"));
        expected.clear();
        for query in 0..images * tokens {
            let of_image = query / tokens * tokens..(query / tokens + 1) * tokens;
            for head in 0..heads {
                let turned_query = turned(query, 0, head);
                let share = |key: usize| -> f64 {
                    // As it was kept.
                    let (image, token) = (key / tokens, key % tokens);
                    let key = &keys[((image * heads + head) * tokens + token) * head_dim..];
                    let products = turned_query.iter().zip(key);
                    let score: f64 = products.map(|(q, k)| q * f64::from(*k)).sum();
                    (score / (head_dim as f64).sqrt()).exp()
                };
                let shares: Vec<f64> = of_image.clone().map(share).collect();
                let all: f64 = shares.iter().sum();
                expected.extend((0..head_dim).map(|part| {
                    let values = of_image.clone().map(|key| part_of(key, 2, head, part));
                    shares.iter().zip(values).map(|(s, v)| s * v).sum::<f64>() / all
                }));
            }
        }
        device.assert_close(&found, &expected, &format!("{sizes:?}"));
    }
}
