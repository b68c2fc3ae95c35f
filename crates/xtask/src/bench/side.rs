//! A program that takes a window through a network whenever it is told to: tests/onnx/side.py says how one speaks to it.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A program that waits for its turn.
pub struct Side {
    /// What computes, in its own words.
    pub about: String,
    logits: PathBuf,
    child: Child,
    told: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Side {
    /// Starts a program that writes its logits to the file `logits`, and waits until it is warm.
    ///
    /// # Errors
    /// When it can't be started or ends before it is ready.
    pub fn start(command: &mut Command, logits: &Path) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let told = child.stdin.take();
        let said = child.stdout.take().context("it has an output")?;
        let mut side = Self {
            about: String::new(),
            logits: logits.to_path_buf(),
            child,
            told,
            said: BufReader::new(said),
        };
        let first = side.next()?;
        let about = first["about"].as_str();
        side.about = about.context("it says what it is first")?.to_owned();
        Ok(side)
    }

    /// Milliseconds of a window.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn window_ms(&mut self) -> Result<f64> {
        self.ask("window")
    }

    /// 10⁹ operations a second in a product of matrices; none where it can't be asked for.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn product_gflops(&mut self) -> Result<f64> {
        self.ask("product")
    }

    /// What it made of the built-in window.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn logits(&self) -> Result<Vec<f32>> {
        let reading = || format!("reading {}", self.logits.display());
        let bytes = fs::read(&self.logits).with_context(reading)?;
        let (values, _) = bytes.as_chunks::<4>();
        Ok(values.iter().map(|x| f32::from_le_bytes(*x)).collect())
    }

    fn ask(&mut self, what: &str) -> Result<f64> {
        let told = self.told.as_mut().context("it was not ended")?;
        writeln!(told, "{what}")?;
        let answer = self.next()?;
        answer["value"]
            .as_f64()
            .with_context(|| format!("{}: found {answer}, expected a number", self.about))
    }

    fn next(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.said.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            bail!(
                "{}: it ended ({status}); its messages are above",
                self.about
            );
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Side {
    /// Without anything to read it ends by itself.
    fn drop(&mut self) {
        self.told = None;
        let _ = self.child.wait();
    }
}
