//! Parts of an operation, on all cores where there are threads.

/// Does `work` with each part; each thread has a buffer of its own, made by `buffer`.
pub fn for_each<T: Send, B>(
    parts: Vec<T>,
    buffer: impl Fn() -> B + Sync + Send,
    work: impl Fn(&mut B, T) + Sync + Send,
) {
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        parts
            .into_par_iter()
            .for_each_init(buffer, |buffer, part| work(buffer, part));
    }
    #[cfg(not(feature = "rayon"))]
    {
        let mut buffer = buffer();
        for part in parts {
            work(&mut buffer, part);
        }
    }
}
