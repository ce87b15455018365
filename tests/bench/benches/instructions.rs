//! One thing done so many times, for tools that count instructions: `instructions NAME TIMES`. Without arguments, the names.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use futures_lite::future::block_on;
use grantor::jose::Algorithm;
use grantor::wire::challenge::Challenges;
use grantor_bench::guard::{Checked, Kept, claims, config, headers, key, token};
use grantor_bench::{Flow, RmcpFlow, typical};
use grantor_tower::GuardLayer;
use grantor_world::net::Served;
use http::{HeaderMap, Request, StatusCode};
use tower_layer::layer_fn;
use tower_service::Service;

type Work = Box<dyn FnMut()>;
type MakeReady = fn() -> Work;

/// What is counted, and what makes it ready.
const WORKS: [(&str, MakeReady); 10] = [
    ("authorize a call, send and deliver it", authorize),
    ("cold flow", || {
        let flow = Flow::cold();
        Box::new(move || drop(black_box(flow.play(flow.config()))))
    }),
    ("cold flow of rmcp", || Box::new(|| drop(black_box(RmcpFlow::play())))),
    ("read a usual challenge", || Box::new(|| drop(black_box(Challenges::parse_leniently([typical()]))))),
    ("a token seen before", || checked(Algorithm::Es256, Kept::Yes)),
    ("a new token, ES256", || checked(Algorithm::Es256, Kept::No)),
    ("a new token, RS256", || checked(Algorithm::Rs256, Kept::No)),
    ("axum's echo", || echo(Around::Nothing)),
    ("axum's echo, a layer that does nothing", || echo(Around::Idle)),
    ("axum's echo, guarded", || echo(Around::Guard)),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [name, times] = &arguments[..] else {
        return WORKS.iter().for_each(|(name, _)| println!("{name}"));
    };
    let (_, ready) = WORKS.iter().find(|(own, _)| own == name).expect("a name that is listed");
    let mut work = ready();
    (0..times.parse().expect("a number")).for_each(|_: u32| work());
}

fn authorize() -> Work {
    let flow = Flow::cold();
    let mut engine = flow.play(flow.config());
    let (mut request, response) = (HeaderMap::with_capacity(8), HeaderMap::new());
    Box::new(move || flow.warm(&mut engine, &mut request, &response))
}

fn checked(algorithm: Algorithm, kept: Kept) -> Work {
    let mut checked = Checked::new(algorithm, 0, kept);
    Box::new(move || checked.check())
}

/// What is around the server.
enum Around {
    Nothing,
    Idle,
    Guard,
}

/// In memory: a request with a token that was seen before.
fn echo(around: Around) -> Work {
    let app = Router::new().route("/mcp", post(|body: String| async move { body }));
    let served = Served::start(Arc::new(|_, _| {}));
    served.world().server().signs = Some(key(Algorithm::Es256));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let token = token(&key(Algorithm::Es256), &claims(&served.issuer, now));
    let mut app = match around {
        Around::Nothing => app,
        Around::Idle => app.layer(layer_fn(Idle)),
        Around::Guard => {
            let mut config = config();
            config.servers = vec![grantor::resource::AuthorizationServer::jwt(&served.issuer)];
            app.layer(GuardLayer::new(config).expect("a layer"))
        }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("tokio");
    let headers = headers(&token);
    let mut call = move || {
        let mut request = Request::post("/mcp").body(Body::from("{}")).expect("a request");
        *request.headers_mut() = headers.clone();
        Service::call(&mut app, request)
    };
    let first = runtime.block_on(call()).expect("an answer");
    assert_eq!(first.status(), StatusCode::OK);
    let entered = (served, runtime);
    Box::new(move || {
        let _entered = entered.1.enter();
        assert_eq!(block_on(call()).expect("an answer").status(), StatusCode::OK);
    })
}

/// Passes everything on.
#[derive(Clone)]
struct Idle<S>(S);

impl<S: Service<Request<Body>, Error = Infallible>> Service<Request<Body>> for Idle<S> {
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}
