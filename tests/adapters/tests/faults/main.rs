//! What becomes of a flow when one exchange of it goes wrong on the wire: for every adapter, every
//! exchange and every fault, a typed error or a bounded retry, records unharmed, and a next call that
//! succeeds. The table is printed with `--nocapture`.

mod fault;
mod site;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use grantor_adapters::ADAPTERS;

use self::fault::{FAULTS, Fault};
use self::site::{LEGS, Leg, Site};

/// Cells that are tried at once; nearly all of them wait.
const WORKERS: usize = 24;

#[derive(Clone, Copy)]
struct Cell {
    adapter: &'static str,
    leg: Leg,
    fault: Fault,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, {}", self.adapter, self.leg, self.fault)
    }
}

/// Plays a cell. Returns what the call that met the fault ended with.
fn play(cell: Cell) -> String {
    let mut site = Site::start(cell.adapter, cell.leg, cell.fault);
    if cell.leg == Leg::Refresh {
        assert_eq!(site.call().unwrap(), 200);
        site.world().server().expire_access_tokens();
    }
    let (before, requests) = (site.records(), site.requests());
    site.break_it();
    let outcome = site.call();
    assert!(site.has_met_the_fault(), "the fault was not met: {outcome:?}");
    assert!(site.requests() - requests <= 12, "retries are bounded");
    let shown = fault::check(cell.leg, cell.fault, outcome);
    site.mend();
    site.check_records(&before);
    // A token request that hangs is waited for; only then is the next one made.
    let tries = if cell.fault.hangs() { 100 } else { 1 };
    let mut last = None;
    for _ in 0..tries {
        match site.call() {
            Ok(200) => {
                site.check_end();
                return shown;
            }
            other => last = Some(other),
        }
        thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the next call must succeed: {last:?}");
}

#[test]
fn every_adapter_every_exchange_every_fault() {
    let mut cells = Vec::new();
    for adapter in ADAPTERS {
        for leg in LEGS {
            cells.extend(FAULTS.map(|fault| Cell { adapter, leg, fault }));
        }
    }
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = std::panic::catch_unwind(|| play(*cell));
                    let outcome = outcome.map_err(|_| format!("{cell}: see above"));
                    outcomes.lock().unwrap().insert((cell.adapter, cell.leg, cell.fault), outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let mut failed = Vec::new();
    for ((adapter, leg, fault), outcome) in &outcomes {
        let shown = outcome.as_ref().unwrap_or_else(|error| {
            failed.push(error.clone());
            error
        });
        println!("{adapter:8} | {leg:22} | {fault:28} | {shown}");
    }
    println!(
        "{} cells: {} adapters, {} exchanges, {} faults",
        outcomes.len(),
        ADAPTERS.len(),
        LEGS.len(),
        FAULTS.len()
    );
    assert!(failed.is_empty(), "{} of {} cells failed: {failed:#?}", failed.len(), outcomes.len());
}
