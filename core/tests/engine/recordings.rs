//! Recorded flows that replay byte for byte.
//!
//! `GRANTOR_RECORD=1` writes them anew; look at the difference before committing it.

use std::fs;
use std::path::PathBuf;

use grantor::client::Config;
use grantor_world::AuthorizationServer;
use grantor_world::player::{Player, User, config};
use grantor_world::recording::Recording;
use serde_json::json;

/// Plays a flow, compares it with the recording, and replays that.
fn check(name: &str, config: &Config, play: impl FnOnce(&mut Player)) {
    let mut player = Player::new(config.clone());
    player.record();
    play(&mut player);
    let played = player.recording.take().unwrap();
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(format!("{name}.jsonl"));
    if std::env::var_os("GRANTOR_RECORD").is_some() {
        fs::write(&path, played.to_text()).unwrap();
    }
    let recorded = Recording::from_text(&fs::read_to_string(&path).unwrap());
    assert_eq!(played.to_text(), recorded.to_text(), "{name}: the flow is another one now");
    let replayed = recorded.replay(config);
    assert_eq!(replayed.outputs(), recorded.outputs(), "{name}: the same inputs give other outputs");
    assert!(recorded.outputs().len() > 10);
}

#[test]
fn main_flow() {
    check("main-flow", &config(), |player| {
        for tool in ["ping", "write", "read"] {
            player.call(tool).delivered();
        }
        player.wait_s(3600);
        player.call("write").delivered();
        player.world.server().revoke_all();
        player.call("write").delivered();
    });
}

#[test]
fn restart_and_callback() {
    check("restart", &config(), |player| {
        player.world.server().auth_method = "client_secret_basic".into();
        player.user = User::Leaves;
        player.begin("ping");
        player.run();
        let (_, url) = player.open.remove(0);
        let back = player.visit(&url).unwrap();
        player.restart();
        player.callback(&back);
        player.user = User::Agrees;
        player.call("ping").delivered();
    });
}

#[test]
fn migration() {
    check("migration", &config(), |player| {
        player.call("ping").delivered();
        player.world.add(AuthorizationServer::new("https://new.example.com"));
        player.world.mcp.authorization_servers = vec!["https://new.example.com".into()];
        player.world.server();
        player.world.authorization.get_mut("https://as.example.com").unwrap().revoke_all();
        player.user = User::DoesNotApprove;
        player.call("ping").failed();
        player.user = User::Agrees;
        player.call("ping").delivered();
    });
}

#[test]
fn client_id_metadata_document() {
    let config = config().client_id_metadata_document("https://app.example.com/client.json").unwrap();
    check("document", &config, |player| {
        player.world.server().metadata = json!({
            "client_id_metadata_document_supported": true,
            "scopes_supported": ["offline_access"],
        });
        player.world.mcp.challenges = false;
        player.call("ping").delivered();
    });
}
