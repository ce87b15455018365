//! Records in `PostgreSQL`. `tests/run stores` runs these, which need its programs.

use std::sync::Arc;

use grantor::{RecordKind, RecordRevision, Secret, StoreKey};
use grantor_driver::store::{Store as _, Swap, check_contract, record_name, unix_s};
use grantor_durability::store;
use grantor_postgres::PostgresStore;
use grantor_world::tls::Authority;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::servers::{End, Postgres};
use crate::{acknowledged, guard, processes, providers, races};

fn key(n: usize) -> StoreKey {
    StoreKey::new(RecordKind::Proof, "https://mcp.example.com/mcp", &n.to_string(), None)
}

#[test]
#[ignore = "needs PostgreSQL"]
fn contract() {
    let server = Postgres::start();
    check_contract(&*store(&server.place()).unwrap(), &*store(&server.place()).unwrap());
}

#[test]
#[ignore = "needs PostgreSQL"]
fn eight_processes_that_refresh_at_once() {
    processes::check(&Postgres::start().place());
}

#[test]
#[ignore = "needs PostgreSQL"]
fn rfc9449_11_1_used_once_by_servers_on_one_database() {
    guard::check(&Postgres::start().place());
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_process_is_killed_that_saves() {
    acknowledged::check(&Postgres::start().place());
}

#[test]
#[ignore = "needs PostgreSQL"]
fn three_processes_race_and_one_is_killed() {
    races::check(&Postgres::start().place());
}

#[test]
#[ignore = "needs PostgreSQL"]
fn three_providers_exchange_a_code_once() {
    providers::race(&Postgres::start().place());
}

#[test]
#[ignore = "needs PostgreSQL"]
fn refresh_tokens_outlive_providers_that_are_killed() {
    providers::survive(&Postgres::start().place(), |kill, round| kill(round % 3));
}

#[test]
#[ignore = "needs PostgreSQL"]
fn refresh_tokens_outlive_restarts_of_the_database() {
    let mut server = Postgres::start();
    let end = |n| if n % 2 == 0 { End::Crash } else { End::Orderly };
    providers::survive(&server.place(), |_, round| server.restart(end(round)));
}

#[test]
#[ignore = "needs PostgreSQL"]
fn restarted_while_threads_save() {
    let mut server = Postgres::start();
    let end = |n| if n % 2 == 0 { End::Crash } else { End::Orderly };
    acknowledged::while_restarted(&server.place(), 4, |n| server.restart(end(n)));
}

#[test]
#[ignore = "needs PostgreSQL"]
fn tables_of_other_versions() {
    let server = Postgres::start();
    let first = PostgresStore::connect(server.to()).unwrap();
    let save = |store: &PostgresStore| store.save(&key(1), &Secret::from("one"), None).unwrap();
    assert!(matches!(save(&first), Swap::Done(_)));

    server.sql("UPDATE grantor_schema SET version = 7");
    let refused = PostgresStore::connect(server.to()).unwrap_err().to_string();
    assert!(refused.contains("later version of Grantor") && refused.contains("schema 7"), "{refused}");
    server.sql("UPDATE grantor_schema SET version = 1");
    assert_eq!(save(&PostgresStore::connect(server.to()).unwrap()), Swap::Conflict, "it is there");

    // Tables that somebody has made by half are not ours to mend.
    server.sql("DROP TABLE grantor_schema");
    let refused = PostgresStore::connect(server.to()).unwrap_err().to_string();
    assert!(refused.contains("already exists"), "{refused}");
    assert_eq!(server.sql("SELECT to_regclass('grantor_schema')"), "", "all steps or none");

    // With a schema of its own it disturbs nobody.
    server.sql("CREATE SCHEMA own");
    let own = PostgresStore::connect(&format!("{} options='-c search_path=own'", server.to())).unwrap();
    assert!(matches!(save(&own), Swap::Done(_)));
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_role_that_may_only_use_the_tables() {
    let server = Postgres::start();
    let refused = |to: &str| PostgresStore::connect(to).unwrap_err().to_string();
    let unknown = refused(&server.to().replace("user=postgres", "user=nobody")); // once it has started
    assert!(unknown.contains("role \"nobody\" does not exist"), "{unknown}");
    server.sql("CREATE ROLE app LOGIN");
    let as_app = server.to().replace("user=postgres", "user=app");
    let forbidden = refused(&as_app);
    assert!(forbidden.contains("permission denied"), "{forbidden}");
    PostgresStore::connect(server.to()).unwrap();
    server.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON grantor_records TO app; GRANT SELECT ON grantor_schema TO app");
    let store = PostgresStore::connect(&as_app).unwrap();
    let Swap::Done(Some(revision)) = store.save(&key(1), &Secret::from("one"), None).unwrap() else {
        panic!()
    };
    assert_eq!(store.delete(&key(1), revision).unwrap(), Swap::Done(None));
}

#[test]
#[ignore = "needs PostgreSQL"]
fn records_that_expire_are_gone_and_removed_some_at_a_time() {
    let server = Postgres::start();
    let store = PostgresStore::connect(server.to()).unwrap();
    let rows = || server.sql("SELECT count(*) FROM grantor_records").parse::<usize>().unwrap();
    let keep = StoreKey::new(RecordKind::Grant, "https://mcp.example.com/mcp", "a", None);
    assert!(matches!(store.save(&keep, &Secret::from("for good"), None).unwrap(), Swap::Done(_)));
    let over = |n: usize| {
        let values =
            (0..n).map(|n| format!("('{}', '', '', now() - interval '1 hour')", record_name(&key(n))));
        server.sql(&format!("INSERT INTO grantor_records VALUES {}", values.collect::<Vec<_>>().join(",")));
    };
    over(1200);
    assert!(store.load(&key(1)).unwrap().is_none());
    assert_eq!(store.delete(&key(1), RecordRevision([1; 16])).unwrap(), Swap::Done(None), "it is gone");
    assert_eq!(
        store.save(&key(2), &Secret::from("x"), Some(RecordRevision([1; 16]))).unwrap(),
        Swap::Conflict
    );
    let until = |at_s| store.save_until(&key(3), &Secret::from("used"), None, at_s).unwrap();
    assert!(matches!(until(unix_s() + 1000), Swap::Done(_)), "in the place of one that is over");
    while rows() > 2 {
        assert_eq!(until(unix_s() + 1000), Swap::Conflict);
    }
    assert!(store.load(&keep).unwrap().is_some() && store.load(&key(3)).unwrap().is_some());

    let Some(used) = store.load(&key(3)).unwrap() else { panic!() };
    store.save(&key(3), &Secret::from("for good"), Some(used.revision)).unwrap();
    assert_eq!(server.sql("SELECT count(expires_at) FROM grantor_records"), "0", "without a time it stays");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn commits_are_durable_whatever_the_role_has_set() {
    let server = Postgres::start();
    drop(PostgresStore::connect(server.to()).unwrap()); // waits until it has started
    server.sql("ALTER ROLE postgres SET synchronous_commit = off");
    server.sql("ALTER ROLE postgres SET default_transaction_isolation = 'serializable'");
    assert_eq!(server.sql("SHOW synchronous_commit"), "off");
    server.sql("CREATE TABLE seen (commit text, isolation text)");
    let store = PostgresStore::connect(server.to()).unwrap();
    // The session tells what it has.
    server.sql(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO seen VALUES (current_setting('synchronous_commit'), current_setting('transaction_isolation'));
         RETURN NEW; END $$;
         CREATE TRIGGER tell BEFORE INSERT ON grantor_records FOR EACH ROW EXECUTE FUNCTION tell()",
    );
    store.save(&key(1), &Secret::from("one"), None).unwrap();
    assert_eq!(server.sql("SELECT * FROM seen"), "on|read committed");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn errors_tell_what_the_server_says_and_no_content() {
    let server = Postgres::start();
    let store = PostgresStore::connect(server.to()).unwrap();
    server.sql("ALTER TABLE grantor_records ADD CHECK (octet_length(content) < 5)");
    let error = store.save(&key(1), &Secret::from("planted"), None).unwrap_err().to_string();
    assert!(error.contains("violates check constraint") && error.contains("23514"), "{error}");
    assert!(!error.contains("planted") && !error.contains("706c616e746564"), "{error}");
    server.sql("DROP TABLE grantor_records");
    let error = store.load(&key(1)).unwrap_err().to_string();
    assert!(
        error.contains("grantor_records") && error.contains("cannot read the PostgreSQL database"),
        "{error}"
    );
}

#[test]
#[ignore = "needs PostgreSQL"]
fn tls_with_certificates_that_are_trusted() {
    let authority = Authority::new();
    let (server, port) = Postgres::start_with_tls(&authority);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Who brings TLS gets it, on loopback, too.
    let store = PostgresStore::with_tls(server.to(), tls).unwrap();
    let Swap::Done(Some(_)) = store.save(&key(1), &Secret::from("one"), None).unwrap() else { panic!() };
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'grantor'";
    assert_eq!(server.sql_at(port, encrypted), "t");
    // The system does not know this authority.
    let refused =
        PostgresStore::connect(&format!("{} sslmode=require", server.to())).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}
