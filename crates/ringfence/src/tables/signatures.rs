//! The signatures in force: the shipped list, the administrator's additions, and the domains.

use std::fs;

use crate::config::{Config, DomainMatch, Mistake, Mistakes, Position, Wrong};
use crate::signature::{self, Compiled, ServiceDomains, Signature};

/// What mistakes call the file: the configuration does not know its own name.
const FILE: &str = "the configuration";
const TOP: Position = Position { line: 1, column: 1 };

pub(super) fn compile(config: &Config) -> Result<Compiled, Mistakes> {
    let mut mistakes = Vec::new();
    let own = own(config, &mut mistakes);
    refuse(&mut mistakes)?;
    let switches = &config.signatures;
    let selected = signature::select(
        signature::shipped(),
        own,
        &switches.enable,
        &switches.disable,
    )
    .unwrap_or_else(|errors| {
        mistakes.extend(errors.iter().map(|error| {
            let position = match error {
                signature::SelectError::Taken { id } => position_of(config, id),
                _ => TOP,
            };
            mistake(position, &error.to_string())
        }));
        Vec::new()
    });
    refuse(&mut mistakes)?;
    signature::compile(&selected, &domains(config)).map_err(|errors| {
        let mistakes = errors.iter().map(|error| {
            let text = error.to_string();
            let named = config.own_signatures.iter().find(|(table, _)| {
                id(table).is_some_and(|id| text.contains(&format!("`{id}`")))
            });
            mistake(named.map_or(TOP, |(_, position)| *position), &text)
        });
        Mistakes::new(FILE, mistakes.collect())
    })
}

fn refuse(mistakes: &mut Vec<Mistake>) -> Result<(), Mistakes> {
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(Mistakes::new(FILE, std::mem::take(mistakes)))
    }
}

/// The administrator's signatures: those in the file itself and those in the one it names.
fn own(config: &Config, mistakes: &mut Vec<Mistake>) -> Vec<Signature> {
    let mut own = Vec::new();
    for (table, position) in &config.own_signatures {
        match signature::signature_from_table(table, position.line) {
            Ok(signature) => own.push(signature),
            Err(wrong) => mistakes.push(Mistake {
                position: *position,
                wrong: Wrong::new(wrong.what, wrong.fix),
            }),
        }
    }
    let Some(path) = &config.signatures.file else {
        return own;
    };
    let shown = path.display();
    match fs::read_to_string(path) {
        Err(error) => mistakes.push(Mistake {
            position: TOP,
            wrong: Wrong::new(
                format!("the signatures in {shown} cannot be read: {error}"),
                "name a file that can be read in `file` of [signatures], or leave it out",
            ),
        }),
        Ok(text) => match signature::parse(&text) {
            Ok(more) => own.extend(more),
            Err(wrong) => mistakes.extend(wrong.into_iter().map(|wrong| Mistake {
                position: TOP,
                wrong: Wrong::new(format!("{shown}:{}: {}", wrong.line, wrong.what), wrong.fix),
            })),
        },
    }
    own
}

fn domains(config: &Config) -> Vec<ServiceDomains> {
    let services = (1..).zip(&config.services);
    services
        .filter(|(_, service)| !service.domains.is_empty())
        .map(|(number, service)| ServiceDomains {
            service: number,
            names: service.domains.iter().map(ToString::to_string).collect(),
            anywhere: service.domain_match == DomainMatch::Anywhere,
        })
        .collect()
}

fn id(table: &toml::Table) -> Option<&str> {
    table.get("id").and_then(toml::Value::as_str)
}

fn position_of(config: &Config, wanted: &str) -> Position {
    let mut own = config.own_signatures.iter();
    own.find(|(table, _)| id(table) == Some(wanted))
        .map_or(TOP, |(_, position)| *position)
}

/// The messages of signatures say after a semicolon what to do.
fn mistake(position: Position, text: &str) -> Mistake {
    let (message, fix) = text.rsplit_once("; ").unwrap_or((text, "see the list of signatures"));
    Mistake {
        position,
        wrong: Wrong::new(message, fix),
    }
}
