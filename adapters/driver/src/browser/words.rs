//! What the receiver's pages say, in the languages that they speak.

/// The words of one language. `{app}` is the application, `{server}` the authorization server's host.
pub(super) struct Words {
    /// By BCP 47.
    pub(super) language: &'static str,
    /// Stands for an application without a name.
    pub(super) application: &'static str,
    /// Titles and texts.
    pub(super) agreed: [&'static str; 2],
    pub(super) declined: [&'static str; 2],
    pub(super) failed: [&'static str; 2],
    pub(super) not_asked: [&'static str; 2],
    pub(super) unclear: [&'static str; 2],
    /// What to do now.
    pub(super) close: &'static str,
}

/// The words for an `Accept-Language` header (RFC 9110 12.5.4): the first language of the highest weight that is
/// spoken here, or English.
pub(super) fn of(languages: &str) -> &'static Words {
    let mut best: Option<(f32, &Words)> = None;
    for range in languages.split(',').take(32) {
        let mut parts = range.split(';').map(str::trim);
        let primary = parts.next().unwrap_or_default().split('-').next().unwrap_or_default();
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
        let (Some(words), Some(weight)) =
            (ALL.iter().find(|words| words.language.eq_ignore_ascii_case(primary)), weight)
        else {
            continue;
        };
        if weight > best.map_or(0.0, |(weight, _)| weight) {
            best = Some((weight, words));
        }
    }
    best.map_or(&ALL[0], |(_, words)| words)
}

pub(super) static ALL: [Words; 8] = [
    Words {
        language: "en",
        application: "the application",
        agreed: [
            "Access granted",
            "{app} has received your approval from {server} and completes the sign-in.",
        ],
        declined: ["Access declined", "You declined. {app} has been told so by {server} and gets no access."],
        failed: ["Access not granted", "{server} reported an error. {app} shows what went wrong."],
        not_asked: [
            "Nothing is waiting for this answer",
            "It may belong to an earlier attempt. Go back to {app} and start again.",
        ],
        unclear: [
            "No answer came along",
            "{server} sent you here without an answer that {app} can read, so {app} goes on waiting. Go back to the page before and try again, or end the sign-in in {app}.",
        ],
        close: "You can close this window and go back to {app}.",
    },
    Words {
        language: "de",
        application: "die Anwendung",
        agreed: [
            "Zugriff erlaubt",
            "{app} hat deine Zustimmung von {server} erhalten und schlie\u{df}t die Anmeldung ab.",
        ],
        declined: [
            "Zugriff abgelehnt",
            "Du hast abgelehnt. {server} hat das an {app} gemeldet: kein Zugriff.",
        ],
        failed: ["Zugriff nicht erteilt", "{server} hat einen Fehler gemeldet. {app} zeigt, was schiefging."],
        not_asked: [
            "Auf diese Antwort wartet niemand",
            "Sie geh\u{f6}rt vielleicht zu einem fr\u{fc}heren Versuch. Gehe zur\u{fc}ck zu {app} und beginne neu.",
        ],
        unclear: [
            "Hier kam keine Antwort an",
            "{server} hat dich ohne eine Antwort hergeschickt, die {app} lesen kann; {app} wartet weiter. Gehe zur vorigen Seite zur\u{fc}ck und versuche es noch einmal, oder beende die Anmeldung in {app}.",
        ],
        close: "Du kannst dieses Fenster schlie\u{df}en und zur\u{fc}ck zu {app} gehen.",
    },
    Words {
        language: "es",
        application: "la aplicaci\u{f3}n",
        agreed: [
            "Acceso concedido",
            "{app} ha recibido tu aprobaci\u{f3}n de {server} y completa el inicio de sesi\u{f3}n.",
        ],
        declined: ["Acceso rechazado", "Has rechazado el acceso. {server} se lo ha comunicado a {app}."],
        failed: [
            "Acceso no concedido",
            "{server} ha comunicado un error. {app} muestra qu\u{e9} ha fallado.",
        ],
        not_asked: [
            "Nadie espera esta respuesta",
            "Puede ser de un intento anterior. Vuelve a {app} y empieza de nuevo.",
        ],
        unclear: [
            "No ha llegado ninguna respuesta",
            "{server} te ha enviado aqu\u{ed} sin una respuesta que {app} pueda leer, y {app} sigue esperando. Vuelve a la p\u{e1}gina anterior e int\u{e9}ntalo de nuevo, o termina el inicio de sesi\u{f3}n en {app}.",
        ],
        close: "Puedes cerrar esta ventana y volver a {app}.",
    },
    Words {
        language: "fr",
        application: "l\u{2019}application",
        agreed: [
            "Acc\u{e8}s accord\u{e9}",
            "{app} a re\u{e7}u votre accord de {server} et termine la connexion.",
        ],
        declined: [
            "Acc\u{e8}s refus\u{e9}",
            "Vous avez refus\u{e9}. {server} l\u{2019}a signal\u{e9} \u{e0} {app}.",
        ],
        failed: [
            "Acc\u{e8}s non accord\u{e9}",
            "{server} a signal\u{e9} une erreur. {app} indique ce qui n\u{2019}a pas fonctionn\u{e9}.",
        ],
        not_asked: [
            "Personne n\u{2019}attend cette r\u{e9}ponse",
            "Elle vient peut-\u{ea}tre d\u{2019}une tentative pr\u{e9}c\u{e9}dente. Revenez \u{e0} {app} et recommencez.",
        ],
        unclear: [
            "Aucune r\u{e9}ponse n\u{2019}est arriv\u{e9}e",
            "{server} vous a envoy\u{e9} ici sans une r\u{e9}ponse que {app} puisse lire ; {app} attend toujours. Revenez \u{e0} la page pr\u{e9}c\u{e9}dente et r\u{e9}essayez, ou mettez fin \u{e0} la connexion dans {app}.",
        ],
        close: "Vous pouvez fermer cette fen\u{ea}tre et revenir \u{e0} {app}.",
    },
    Words {
        language: "it",
        application: "l\u{2019}applicazione",
        agreed: [
            "Accesso consentito",
            "{app} ha ricevuto il tuo consenso da {server} e completa l\u{2019}accesso.",
        ],
        declined: ["Accesso rifiutato", "Hai rifiutato. {server} lo ha comunicato a {app}."],
        failed: [
            "Accesso non concesso",
            "{server} ha segnalato un errore. {app} mostra che cosa non ha funzionato.",
        ],
        not_asked: [
            "Nessuno attende questa risposta",
            "Forse appartiene a un tentativo precedente. Torna a {app} e ricomincia.",
        ],
        unclear: [
            "Non \u{e8} arrivata alcuna risposta",
            "{server} ti ha mandato qui senza una risposta che {app} possa leggere; {app} continua ad attendere. Torna alla pagina precedente e riprova, oppure termina l\u{2019}accesso in {app}.",
        ],
        close: "Puoi chiudere questa finestra e tornare a {app}.",
    },
    Words {
        language: "pt",
        application: "o aplicativo",
        agreed: ["Acesso concedido", "{app} recebeu sua aprova\u{e7}\u{e3}o de {server} e conclui o login."],
        declined: ["Acesso recusado", "Voc\u{ea} recusou. {server} informou isso a {app}."],
        failed: ["Acesso n\u{e3}o concedido", "{server} informou um erro. {app} mostra o que deu errado."],
        not_asked: [
            "Ningu\u{e9}m espera esta resposta",
            "Ela pode ser de uma tentativa anterior. Volte para {app} e comece de novo.",
        ],
        unclear: [
            "Nenhuma resposta chegou",
            "{server} enviou voc\u{ea} at\u{e9} aqui sem uma resposta que {app} possa ler; {app} continua esperando. Volte \u{e0} p\u{e1}gina anterior e tente de novo, ou encerre o login em {app}.",
        ],
        close: "Voc\u{ea} pode fechar esta janela e voltar para {app}.",
    },
    Words {
        language: "ja",
        application: "アプリケーション",
        agreed: ["アクセスを許可しました", "{app} は {server} から許可を受け取り、サインインを完了します。"],
        declined: [
            "アクセスを拒否しました",
            "{server} から {app} に拒否が伝えられました。アクセスは許可されません。",
        ],
        failed: [
            "アクセスは許可されませんでした",
            "{server} がエラーを返しました。詳しくは {app} をご覧ください。",
        ],
        not_asked: [
            "この応答を待っているものはありません",
            "以前の操作のものかもしれません。{app} に戻ってやり直してください。",
        ],
        unclear: [
            "応答が届きませんでした",
            "{server} から {app} が読み取れる応答が届いていないため、{app} は待機を続けています。前のページに戻ってやり直すか、{app} でサインインを中止してください。",
        ],
        close: "このウィンドウを閉じて {app} に戻ってください。",
    },
    Words {
        language: "zh",
        application: "应用程序",
        agreed: ["已授权访问", "{app} 已收到来自 {server} 的授权，正在完成登录。"],
        declined: ["已拒绝访问", "{server} 已将您的拒绝告知 {app}，不会授予访问权限。"],
        failed: ["未授予访问权限", "{server} 报告了错误。详情请查看 {app}。"],
        not_asked: ["没有等待此响应的请求", "它可能属于之前的操作。请返回 {app} 并重新开始。"],
        unclear: [
            "没有收到响应",
            "{server} 没有随页面返回 {app} 能够读取的响应，{app} 仍在等待。请返回上一页重试，或在 {app} 中结束登录。",
        ],
        close: "您可以关闭此窗口并返回 {app}。",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_12_5_4_languages() {
        for (languages, expected) in [
            ("", "en"),
            ("de", "de"),
            ("de-CH, en;q=0.5", "de"),
            ("sv, nl;q=0.9", "en"),
            ("sv, fr;q=0.4, es;q=0.7", "es"),
            ("en;q=0.3, ZH-Hans;q=0.8", "zh"),
            ("de;q=0, ja", "ja"),
            ("de;q=0", "en"),
            ("*", "en"),
            (",;q=;;,-,de;q=x", "en"),
            ("fr, de", "fr"),
        ] {
            assert_eq!(of(languages).language, expected, "{languages}");
        }
    }
}
