//! What becomes of memory that the program has no use for any more.

/// Has the program keep it, to be called before anything is computed: glibc gives every large block back to the kernel and takes it
/// page by page again, which was 15 % of the time of a head's window. Other allocators are left as they are.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code)]
    // SAFETY: both are settings, which may be changed at any time; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}
