//! The project's own commands, `cargo xtask …`: they install what is missing, build and serve the site, run every check that
//! CI runs, and measure.

mod bench;
mod browser;
mod bundle;
mod card_libraries;
mod cards;
mod command;
mod content;
mod files;
mod heads;
mod large_head;
mod native;
mod node;
mod places;
mod sample;
mod server;
mod site;
mod steps;
mod take_along;
mod tools;

use anyhow::Result;
use clap::{Parser, Subcommand};
use places::Places;
use std::process::ExitCode;

/// Builds, serves, tests and measures DINO-Med3D; installs what that needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs every tool the other commands use, as far as it is missing.
    Setup,
    /// Builds the site (into dist/), or the native program for more devices.
    Build {
        /// The native program with CUDA, for NVIDIA cards.
        #[arg(long)]
        cuda: bool,
        /// The native program with Vulkan, for cards of any maker.
        #[arg(long)]
        vulkan: bool,
        /// The native program with what the page computes with on cards of any maker.
        #[arg(long)]
        webgpu: bool,
        /// The native program with LibTorch, which trains faster, on the processor and on NVIDIA cards.
        #[arg(long)]
        libtorch: bool,
    },
    /// Builds what has changed and serves the site on this computer only.
    Serve {
        /// Port; without it 8080 or the next free one. 0 takes any free port.
        #[arg(long)]
        port: Option<u16>,
        /// Serves dist/ as it is.
        #[arg(long)]
        no_build: bool,
    },
    /// Runs every check, or only those named.
    Test {
        /// Names of steps; see --list.
        steps: Vec<String>,
        /// Lists the steps.
        #[arg(long)]
        list: bool,
    },
    /// Measures how long one case takes, natively and in the browser, or a window beside other programs.
    Bench(bench::How),
    /// Makes one archive that trains and segments on a Linux machine with nothing but a graphics card's driver.
    Bundle(bundle::Args),
    /// Makes one archive of the site with its models, which runs from a stick.
    TakeAlong(take_along::Args),
    /// Judges the model of heads by a folder of real scans: tables and pictures.
    Heads(heads::Args),
    /// Makes the README's picture from the page as it is.
    Picture,
}

fn run(task: Task) -> Result<ExitCode> {
    let places = Places::find()?;
    match task {
        Task::Setup => {
            tools::set_up_everything(&places)?;
            println!(
                "everything is there; tools are in {}",
                places.tools.display()
            );
        }
        Task::Build {
            cuda,
            vulkan,
            webgpu,
            libtorch,
        } => {
            let wanted = [
                (cuda, "cuda"),
                (vulkan, "vulkan"),
                (webgpu, "webgpu"),
                (libtorch, "libtorch"),
            ];
            let features: Vec<&str> = wanted
                .into_iter()
                .filter_map(|(wanted, name)| wanted.then_some(name))
                .collect();
            if features.is_empty() {
                site::build(&places)?;
            } else {
                let program = cards::build(&places, &features)?;
                println!("the native program is {}", program.display());
            }
        }
        Task::Serve { port, no_build } => {
            if !no_build {
                site::build(&places)?;
            }
            let server = server::Server::start(&places.dist(), port)?;
            println!("serving DINO-Med3D on {} (Ctrl+C ends it)", server.url());
            server.wait();
        }
        Task::Test { list: true, .. } => steps::list(),
        Task::Test { steps, .. } => return steps::run(&places, &steps),
        Task::Bundle(args) => bundle::make(&places, &args)?,
        Task::TakeAlong(args) => take_along::make(&places, &args)?,
        Task::Heads(args) => heads::judge(&places, &args)?,
        Task::Bench(how) => bench::measure(&places, &how)?,
        Task::Picture => {
            site::build(&places)?;
            browser::run(&places, "tests/browser/picture.mjs")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    run(Xtask::parse().task).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
