//! Attention of the tokens of an image without their scores in memory: a unit takes one query past all keys and keeps the mean of the
//! values so far, weighed by exponentials of scores below the highest so far.
//!
//! Source: Milakov and Gimelshein 2018, "Online normalizer calculation for softmax".

use super::{On, WIDTH};
use cubecl::ir::ElemType;
use cubecl::prelude::*;

/// Keys that a query meets together: what was weighed before is brought to a new highest score once for all of them.
const KEYS: usize = 4;
/// Below every score.
const LEAST: f32 = -1e30;

/// What attention looks like.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// How many.
    pub images: usize,
    /// Of an image.
    pub tokens: usize,
    /// Of a token.
    pub heads: usize,
    /// Numbers of a head of a token.
    pub head_dim: usize,
}

impl Heads {
    /// Whether [`attention()`] takes heads of this size: a query and a mean are held in registers.
    pub fn fit(&self) -> bool {
        self.head_dim.is_multiple_of(2 * WIDTH) && self.head_dim <= 128
    }

    /// Numbers of all keys.
    pub fn of_keys(&self) -> usize {
        self.images * self.tokens * self.heads * self.head_dim
    }
}

/// Part of a query or key, turned by its place: with the halves x and y of each, `[x, y] · cos + [−y, x] · sin`. `at` is where it
/// begins, `token` which one it is of, and sizes are in vectors.
#[cube]
fn turned<F: Float, N: Size>(
    joined: &[Vector<F, N>],
    cos: &[Vector<F, N>],
    sin: &[Vector<F, N>],
    at: usize,
    token: usize,
    part: usize,
    #[comptime] width: usize,
) -> Vector<f32, N> {
    let half = comptime!(width / 2);
    let is_second = part >= half;
    let other = joined[at + select(is_second, part - half, part + half)];
    let other = Vector::<f32, N>::cast_from(other);
    let other = select(is_second, other, -other);
    let place = token * width + part;
    let cos = Vector::cast_from(cos[place]);
    let sin = Vector::cast_from(sin[place]);
    fma(Vector::cast_from(joined[at + part]), cos, other * sin)
}

/// A vector of a key, turned, into `[image, head, token, head_dim]`.
#[cube(launch_unchecked, address_type = "dynamic")]
fn turn_key<F: Float, N: Size>(
    joined: &[Vector<F, N>],
    cos: &[Vector<F, N>],
    sin: &[Vector<F, N>],
    keys: &mut [Vector<F, N>],
    images: usize,
    tokens: usize,
    heads: usize,
    #[comptime] width: usize,
    #[define(F)] _numbers: ElemType,
) {
    let part = ABSOLUTE_POS % width;
    let mut rest = ABSOLUTE_POS / width;
    let token = rest % tokens;
    rest /= tokens;
    let head = rest % heads;
    let image = rest / heads;
    if image >= images {
        terminate!();
    }
    let at = (((image * tokens + token) * 3 + 1) * heads + head) * width;
    keys[ABSOLUTE_POS] =
        Vector::cast_from(turned::<F, N>(joined, cos, sin, at, token, part, width));
}

/// All that a query looks at.
#[cube(launch_unchecked, address_type = "dynamic")]
fn look<F: Float, N: Size>(
    joined: &[Vector<F, N>],
    keys: &[Vector<F, N>],
    cos: &[Vector<F, N>],
    sin: &[Vector<F, N>],
    result: &mut [Vector<F, N>],
    images: usize,
    tokens: usize,
    heads: usize,
    scale: f32,
    #[comptime] width: usize,
    #[define(F)] _numbers: ElemType,
) {
    // Units side by side read the same keys and values.
    let token = ABSOLUTE_POS % tokens;
    let rest = ABSOLUTE_POS / tokens;
    let head = rest % heads;
    let image = rest / heads;
    if image >= images {
        terminate!();
    }
    let at = ((image * tokens + token) * 3 * heads + head) * width;
    let mut query = Array::<Vector<f32, N>>::new(width);
    let mut mean = Array::<Vector<f32, N>>::new(width);
    #[unroll]
    for part in 0..width {
        let of_part = turned::<F, N>(joined, cos, sin, at, token, part, width);
        query[part] = of_part * Vector::new(scale);
        mean[part] = Vector::new(0.0f32);
    }
    let first_key = (image * heads + head) * tokens * width;
    let first_value = ((image * tokens * 3 + 2) * heads + head) * width;
    let most = RuntimeCell::<f32>::new(LEAST);
    let total = RuntimeCell::<f32>::new(0.0f32);
    let mut scores = Array::<f32>::new(KEYS);
    for group in 0..tokens.div_ceil(KEYS) {
        let mut highest = most.read();
        #[unroll]
        for i in 0..KEYS {
            let key = group * KEYS + i;
            let at = first_key + min(key, tokens - 1) * width;
            let mut sum = Vector::new(0.0f32);
            #[unroll]
            for part in 0..width {
                sum = fma(query[part], Vector::cast_from(keys[at + part]), sum);
            }
            let mut score = 0.0f32;
            #[unroll]
            for part in 0..WIDTH {
                score += sum.extract(part);
            }
            scores[i] = select(key < tokens, score, LEAST);
            highest = max(highest, scores[i]);
        }
        let fade = (most.read() - highest).exp();
        most.store(highest);
        let mut sum = total.read() * fade;
        #[unroll]
        for part in 0..width {
            mean[part] *= Vector::new(fade);
        }
        #[unroll]
        for i in 0..KEYS {
            let share = (scores[i] - highest).exp();
            sum += share;
            let key = min(group * KEYS + i, tokens - 1);
            let at = first_value + key * 3 * heads * width;
            #[unroll]
            for part in 0..width {
                let value = Vector::cast_from(joined[at + part]);
                mean[part] = fma(Vector::new(share), value, mean[part]);
            }
        }
        total.store(sum);
    }
    let at = ((image * tokens + token) * heads + head) * width;
    #[unroll]
    for part in 0..width {
        result[at + part] = Vector::cast_from(mean[part] / Vector::new(total.read()));
    }
}

/// Keys in the order in which [`attention()`] reads them, turned by their places, of heads that [`Heads::fit`].
///
/// # Shapes
/// - `joined`: `[image, token, 3, head, head_dim]`, queries, keys and values
/// - `turn`: cosines and sines, both `[token, head_dim]`
/// - `keys`: room for [`Heads::of_keys`]
pub fn turn_keys(
    on: On<'_>,
    heads: Heads,
    joined: BufferArg,
    turn: [BufferArg; 2],
    keys: BufferArg,
) {
    assert!(heads.fit(), "{heads:?}");
    let width = heads.head_dim / WIDTH;
    let [cos, sin] = turn;
    #[allow(unsafe_code, reason = "units beyond the last end")]
    unsafe {
        launch!(
            on,
            heads.of_keys() / WIDTH,
            turn_key(
                joined,
                cos,
                sin,
                keys,
                heads.images,
                heads.tokens,
                heads.heads,
                width
            )
        );
    }
}

/// `softmax(query · keyᵀ / √head_dim) · value` of each image and head, queries turned by their places first, of heads that
/// [`Heads::fit`].
///
/// # Shapes
/// - `joined` and `turn`: as for [`turn_keys`], which made `keys`
/// - `result`: `[image, token, head, head_dim]`
pub fn attention(
    on: On<'_>,
    heads: Heads,
    joined: BufferArg,
    turn: [BufferArg; 2],
    keys: BufferArg,
    result: BufferArg,
) {
    assert!(heads.fit(), "{heads:?}");
    let queries = heads.images * heads.heads * heads.tokens;
    let width = heads.head_dim / WIDTH;
    let [cos, sin] = turn;
    let scale = (heads.head_dim as f32).sqrt().recip();
    #[allow(
        unsafe_code,
        reason = "units beyond the last end, and keys are clamped to those that there are"
    )]
    unsafe {
        launch!(
            on,
            queries,
            look(
                joined,
                keys,
                cos,
                sin,
                result,
                heads.images,
                heads.tokens,
                heads.heads,
                scale,
                width
            )
        );
    }
}
