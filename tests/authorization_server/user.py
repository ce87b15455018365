"""A user without a screen: a browser's cookies and forms, and nothing of its scripts."""

import html.parser
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request


class Forms(html.parser.HTMLParser):
    """The forms of a page: where each goes, its fields, and its buttons."""

    def __init__(self):
        super().__init__()
        self.forms = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append((attributes["action"], []))
        elif tag == "input" and self.forms and "name" in attributes:
            kind = attributes.get("type", "text")
            if kind != "checkbox" or "checked" in attributes:
                self.forms[-1][1].append((attributes["name"], attributes.get("value", "")))


class Stop(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class User:
    """Signs in by name and password, and agrees to everything, or to nothing."""

    def __init__(self, name, password, agrees=True):
        self.name, self.password, self.agrees = name, password, agrees
        self.asked = 0
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(cookies, Stop())

    def fetch(self, url, form=None):
        """Status, location and body of one request."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        try:
            answer = self.opener.open(urllib.request.Request(url, data), timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers.get("location"), answer.read().decode()

    def authorize(self, url):
        """Goes from an authorization request to the URL that the client gets back."""
        location, body = self.walk(url)
        if location is None:
            raise RuntimeError(f"the pages lead nowhere; the last one: {body[-600:]}")
        return location

    def connect(self, url):
        """Goes from the page for a device's code to the last page."""
        location, body = self.walk(url)
        if location is not None:
            raise RuntimeError(f"sent to {location}")
        return body

    def walk(self, url):
        """Fills in pages until the browser is sent away, or one has no form: where to, and what the last page says."""
        status, location, body = self.fetch(url)
        for _ in range(4):
            parsed = Forms()
            parsed.feed(body)
            if location or not parsed.forms:
                break
            action, fields = parsed.forms[0]
            filled = [(name, value) for name, value in fields if name not in ("username", "password")]
            names = {name for name, _ in fields}
            if "password" in names:
                filled += [("username", self.name), ("password", self.password)]
            elif "user_code" not in names:
                self.asked += 1
                filled.append(("decision", "allow" if self.agrees else "deny"))
            status, location, body = self.fetch(urllib.parse.urljoin(url, action), filled)
        return location, f"status {status}: {body}"
