//! What can judge packets here.

use super::finding::{Finding, State, finding};
use crate::config::EngineChoice;
use crate::engine::nfqueue;

/// What was found of XDP, and of queues where they may have to do.
pub(super) fn either(choice: EngineChoice, xdp: Vec<Finding>) -> Vec<Finding> {
    let is_without = xdp.iter().any(|it| it.state == State::Problem);
    match choice {
        EngineChoice::Xdp => xdp,
        EngineChoice::Auto if !is_without => xdp,
        EngineChoice::Auto => instead(xdp, queues(nfqueue::works().map_err(|it| it.to_string()))),
        EngineChoice::Nfqueue => vec![queues(nfqueue::works().map_err(|it| it.to_string()))],
    }
}

/// Where queues do, what is in XDP's way is no problem.
fn instead(mut xdp: Vec<Finding>, queues: Finding) -> Vec<Finding> {
    if queues.state == State::Fine {
        for it in xdp.iter_mut().filter(|it| it.state == State::Problem) {
            it.state = State::Note;
            it.found
                .push_str("; the daemon judges packets from queues of nftables instead");
        }
    }
    xdp.push(queues);
    xdp
}

fn queues(works: Result<String, String>) -> Finding {
    let (state, found) = match works {
        Ok(found) => (State::Fine, found),
        Err(error) => (State::Problem, error),
    };
    let remedy = "apt-get install nftables, and a kernel with nft_queue";
    finding("queues of nftables", state, found, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old() -> Vec<Finding> {
        let remedy = "install Linux 6.1 or newer";
        vec![finding(
            "kernel",
            State::Problem,
            "Linux 5.10".to_owned(),
            remedy,
        )]
    }

    #[test]
    fn queues_make_a_note_of_what_is_in_the_way_of_xdp() {
        let found = instead(old(), queues(Ok("nft 1.0.6".to_owned())));
        let states: Vec<_> = found.iter().map(|it| it.state).collect();
        assert_eq!(states, [State::Note, State::Fine]);
        assert!(found[0].found.contains("queues of nftables instead"));
        let found = instead(old(), queues(Err("nft is not there".to_owned())));
        assert!(found.iter().all(|it| it.state == State::Problem));
    }

    #[test]
    fn whoever_asks_for_xdp_hears_of_xdp() {
        let found = either(EngineChoice::Xdp, old());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].state, State::Problem);
    }
}
