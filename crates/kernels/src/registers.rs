//! Sums of products that stay in registers: what the products of matrices are made of.

use pulp::{Arch, Simd, WithSimd};

/// Vectors of a row that are summed at a time.
pub(crate) const VECTORS: usize = 2;

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
pub(crate) fn sums<S: Simd, const ROWS: usize>(
    simd: S,
    first: [S::f32s; VECTORS],
    rows: [&[f32]; ROWS],
    matrix: &[f32],
    pitch: usize,
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [first; ROWS];
    let steps = rows[0].len();
    let rows = rows.map(|row| &row[..steps]);
    for (step, values) in (0..steps).zip(matrix.chunks(pitch)) {
        let (values, _) = S::as_simd_f32s(&values[..VECTORS * S::F32_LANES]);
        for (sums, row) in sums.iter_mut().zip(rows) {
            let factor = simd.splat_f32s(row[step]);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = simd.mul_add_e_f32s(*value, factor, *sum);
            }
        }
    }
    sums
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
    std::array::from_fn(|row| &matrix[(first + row).min(last) * pitch..][..length])
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
