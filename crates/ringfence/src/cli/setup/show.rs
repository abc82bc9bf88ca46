//! What people and programs are shown.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::watch::Watched;
use crate::cli::{Format, Global, terminal};
use crate::setup::{Offer, Plan, Saved};

/// The file and the reasons that are not in it.
pub(super) fn plan(plan: &Plan, text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in text.lines() {
        writeln!(out, "    {}", terminal::line(line))?;
    }
    writeln!(out)?;
    out.flush()?;
    remarks(plan)
}

/// What a person should know, on standard error: the other may be a file.
pub(super) fn remarks(plan: &Plan) -> io::Result<()> {
    let mut out = io::stderr().lock();
    for remark in &plan.remarks {
        writeln!(out, "note: {}", terminal::line(remark))?;
    }
    Ok(())
}

/// What was done.
pub(super) struct Report<'p> {
    plan: &'p Plan,
    file: String,
    written: bool,
    kept: Option<String>,
    /// What looking on at packets showed.
    pub(super) watched: Option<Watched>,
}

impl<'p> Report<'p> {
    pub(super) fn new(plan: &'p Plan, file: &Path, saved: Option<&Saved>) -> Self {
        let kept = saved.and_then(|saved| saved.kept.as_ref());
        Self {
            plan,
            file: file.display().to_string(),
            written: saved.is_some(),
            kept: kept.map(|path| path.display().to_string()),
            watched: None,
        }
    }

    pub(super) fn show(&self, global: &Global) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if global.format == Format::Json {
            return writeln!(out, "{}", terminal::json(&self.data().to_string()));
        }
        if let Some(watched) = &self.watched {
            writeln!(out, "\n{}", terminal::text(&watched.text))?;
        }
        let file = terminal::line(&self.file);
        if !self.written {
            return writeln!(out, "\n{file} was not written.");
        }
        writeln!(out, "\n{file} is written, and has no mistakes.")?;
        if let Some(kept) = &self.kept {
            writeln!(out, "What was there before is {}.", terminal::line(kept))?;
        }
        writeln!(
            out,
            "Next: `ringfence doctor`, then `ringfence run` (or `ringfence reload` where it runs). It is in shadow mode:\n\
             nothing is dropped until you write mode = \"enforce\"; `ringfence reload --confirm 60s` tries that."
        )
    }

    fn data(&self) -> Value {
        let services: Vec<Value> = self.plan.services.iter().map(service).collect();
        let permit = self.plan.permit.iter();
        let permit: Vec<String> = permit.map(|permit| permit.address.to_string()).collect();
        json!({
            "file": self.file, "written": self.written, "kept": self.kept, "services": services,
            "permit": permit, "remarks": self.plan.remarks,
            "watch": self.watched.as_ref().map(|watched| &watched.data),
        })
    }
}

fn service(offer: &Offer) -> Value {
    let ports: Vec<String> = offer.ports.iter().map(ToString::to_string).collect();
    json!({
        "name": offer.name, "kind": offer.kind.to_string(), "ports": ports,
        "from": offer.from.to_string(), "why": offer.why,
    })
}
