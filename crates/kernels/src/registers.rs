//! Sums of products that stay in registers: what the products of matrices are made of.

use pulp::{Arch, Simd, WithSimd};

/// Floats of a vector of this processor.
pub(crate) fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    Arch::new().dispatch(Lanes)
}

/// `first` and the products of rows with a matrix, of which `pitch` floats lie from one step to the next; rows are all as long.
#[inline(always)]
pub(crate) fn sums<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    first: [S::f32s; VECTORS],
    rows: [&[f32]; ROWS],
    matrix: &[f32],
    pitch: usize,
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [first; ROWS];
    let steps = rows[0].len();
    for row in rows {
        assert_eq!(row.len(), steps, "rows of one length");
    }
    for (step, values) in (0..steps).zip(matrix.chunks(pitch)) {
        let (values, _) = S::as_simd_f32s(&values[..VECTORS * S::F32_LANES]);
        for (sums, row) in sums.iter_mut().zip(rows) {
            // Asked for every sum, whether a row has a step would cost as much as the sums themselves.
            #[allow(unsafe_code)]
            // SAFETY: every row is as long as there are steps, as was asserted.
            let factor = simd.splat_f32s(unsafe { *row.get_unchecked(step) });
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = simd.mul_add_e_f32s(*value, factor, *sum);
            }
        }
    }
    sums
}

/// Writes vectors, as far as there is room.
#[inline(always)]
pub(crate) fn write<S: Simd, const VECTORS: usize>(target: &mut [f32], values: [S::f32s; VECTORS]) {
    if let Some(target) = target.get_mut(..VECTORS * S::F32_LANES) {
        let (target, _) = S::as_mut_simd_f32s(target);
        for (to, value) in target.iter_mut().zip(values) {
            *to = value;
        }
    } else {
        let values: &[f32] = pulp::bytemuck::cast_slice(&values);
        target.copy_from_slice(&values[..target.len()]);
    }
}

/// Rows from `first`, as many as there are sums for; in the place of one that there is not the last one is taken.
#[inline(always)]
pub(crate) fn rows<const ROWS: usize>(
    matrix: &[f32],
    pitch: usize,
    length: usize,
    first: usize,
) -> [&[f32]; ROWS] {
    let last = matrix.len() / pitch - 1;
    let mut rows = [&matrix[..0]; ROWS];
    for (index, row) in rows.iter_mut().enumerate() {
        *row = &matrix[(first + index).min(last) * pitch..][..length];
    }
    rows
}

#[cfg(test)]
pub(crate) mod tests {
    use pulp::Simd;

    /// An operation as it is to be computed by vectors of one kind.
    pub trait ByKind {
        fn by<S: Simd>(&self, simd: S) -> Vec<f32>;
    }

    /// By every kind of vectors that this processor has.
    pub fn by_all(operation: &impl ByKind) -> Vec<(&'static str, Vec<f32>)> {
        let mut all = vec![("scalar", operation.by(pulp::Scalar::new()))];
        #[cfg(target_arch = "x86_64")]
        {
            use pulp::x86::{V3, V4};
            all.extend(V3::try_new().map(|simd| ("AVX2", operation.by(simd))));
            all.extend(V4::try_new().map(|simd| ("AVX-512", operation.by(simd))));
        }
        all
    }

    /// Made-up ones between −0.5 and 0.5.
    pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..count).map(next).collect()
    }
}
