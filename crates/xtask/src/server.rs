//! The local server: the built site under the headers it is meant to be served with.

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread::{self, JoinHandle};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

/// Where the site is served when no port is asked for, and how many ports after it are tried.
const FIRST_PORT: u16 = 8080;
const PORTS_TRIED: u16 = 50;

/// A running server; it ends with the process.
pub struct Server {
    port: u16,
    thread: JoinHandle<()>,
}

impl Server {
    /// Serves a built site on this computer only.
    ///
    /// # Errors
    /// When there is no site, or the port is taken.
    pub fn start(site: &Path, port: Option<u16>) -> Result<Self> {
        let router = router(site)?;
        let listener = listen(port)?;
        let port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let thread = thread::spawn(move || {
            let served = runtime.block_on(async {
                axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await
            });
            if let Err(error) = served {
                eprintln!("error: the server ended: {error}");
            }
        });
        Ok(Self { port, thread })
    }

    /// The site's address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Waits for as long as it runs.
    pub fn wait(self) {
        // Its thread has said what happened.
        let _ = self.thread.join();
    }
}

fn listen(port: Option<u16>) -> Result<TcpListener> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = port {
        return bind(port).with_context(|| {
            format!("port {port} of 127.0.0.1 cannot be served; choose another with --port")
        });
    }
    for port in FIRST_PORT..FIRST_PORT + PORTS_TRIED {
        match bind(port) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).with_context(|| format!("port {port} of 127.0.0.1")),
        }
    }
    bail!(
        "ports {FIRST_PORT} to {} of 127.0.0.1 are all taken; choose another with --port",
        FIRST_PORT + PORTS_TRIED - 1
    )
}

/// Files of the site, with media types, entity tags and compressed copies, and never one from outside it.
fn router(site: &Path) -> Result<Router> {
    let page = site.join("index.html");
    let html = fs::read_to_string(&page).with_context(|| {
        format!(
            "no built site: {}; build it with `cargo xtask build`",
            page.display()
        )
    })?;
    let policy =
        content_security_policy(&html).context("index.html has no Content-Security-Policy")?;
    // Who may frame the page can only be said in a header.
    let policy = HeaderValue::from_str(&format!("{policy}; frame-ancestors 'none'"))?;
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    Ok(Router::new()
        .fallback_service(ServeDir::new(site).precompressed_br().precompressed_gzip())
        .layer(SetResponseHeaderLayer::overriding(
            CONTENT_SECURITY_POLICY,
            policy,
        ))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(REFERRER_POLICY, "no-referrer"))
        .layer(header(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ))
        .layer(header(
            HeaderName::from_static("cross-origin-embedder-policy"),
            "require-corp",
        ))
        .layer(header(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ))
        // A new build shows at once; what has not changed is not sent again.
        .layer(header(CACHE_CONTROL, "no-cache")))
}

/// The policy in the page's meta tag: the one place where it is written down.
fn content_security_policy(html: &str) -> Option<&str> {
    let (_, rest) = html.split_once("http-equiv=\"Content-Security-Policy\"")?;
    let (tag, _) = rest.split_once('>')?;
    let (_, content) = tag.split_once("content=\"")?;
    Some(content.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::path::PathBuf;
    use tempfile::TempDir;

    const HTML: &str = "<meta http-equiv=\"Content-Security-Policy\"\n content=\"default-src 'none'\" /><p>page</p>";

    /// A site with one compressed script, a packed volume, and a file outside it.
    fn site() -> (TempDir, PathBuf) {
        let root = TempDir::with_prefix("dinomed3d-server-").unwrap();
        let site = root.path().join("dist");
        fs::create_dir(&site).unwrap();
        fs::write(root.path().join("secret"), "secret").unwrap();
        for (name, content) in [
            ("index.html", HTML),
            ("page.js", "script"),
            ("page.js.gz", "packed"),
            ("a.wasm", "w"),
            ("scan.nii.gz", "scan"),
            ("m.json", "{}"),
        ] {
            fs::write(site.join(name), content).unwrap();
        }
        (root, site)
    }

    fn get(server: &Server, path: &str, header: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_come_with_their_type_and_the_security_headers() {
        let (_root, site) = site();
        let server = Server::start(&site, Some(0)).unwrap();
        let page = get(&server, "/", "");
        for header in [
            "200 OK",
            "content-type: text/html",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-embedder-policy: require-corp",
        ] {
            assert!(page.contains(header), "{header} in {page}");
        }
        assert!(get(&server, "/a.wasm", "").contains("content-type: application/wasm"));
        assert!(get(&server, "/page.js", "").contains("content-type: text/javascript"));
        assert!(get(&server, "/m.json", "").contains("content-type: application/json"));
    }

    #[test]
    fn a_packed_script_is_unpacked_by_the_browser_and_a_packed_scan_is_not() {
        let (_root, site) = site();
        let server = Server::start(&site, Some(0)).unwrap();
        let script = get(&server, "/page.js", "Accept-Encoding: gzip, br\r\n");
        assert!(
            script.contains("content-encoding: gzip") && script.ends_with("packed"),
            "{script}"
        );
        assert!(get(&server, "/page.js", "").ends_with("script"));
        let scan = get(&server, "/scan.nii.gz", "Accept-Encoding: gzip, br\r\n");
        assert!(
            scan.contains("content-type: application/gzip") && !scan.contains("content-encoding"),
            "{scan}"
        );
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let (_root, site) = site();
        let server = Server::start(&site, Some(0)).unwrap();
        let first = get(&server, "/m.json", "");
        let tag = first
            .lines()
            .find_map(|line| line.strip_prefix("etag: "))
            .unwrap();
        assert!(
            get(&server, "/m.json", &format!("If-None-Match: {tag}\r\n"))
                .starts_with("HTTP/1.1 304")
        );
    }

    #[test]
    fn nothing_outside_the_site_is_served() {
        let (_root, site) = site();
        let server = Server::start(&site, Some(0)).unwrap();
        for path in [
            "/../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/%2e%2e%2fsecret",
            "/x/../../secret",
            "//etc/passwd",
            "/nothing",
        ] {
            let answer = get(&server, path, "");
            assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        }
    }

    #[test]
    fn a_site_that_was_not_built_is_said_so() {
        let error = Server::start(Path::new("/nonexistent"), Some(0))
            .err()
            .unwrap();
        assert!(error.to_string().contains("cargo xtask build"), "{error}");
    }
}
