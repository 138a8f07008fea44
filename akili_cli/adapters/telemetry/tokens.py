"""What a secret looks like by itself: the shapes of tokens, and of credentials on command lines and in URLs.

Every pattern is linear: bounded, or anchored so that no start position is scanned twice. Shapes are sorted by a sign
that a text holding one must show; most texts show few signs, so most patterns never run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from akili_cli.adapters.telemetry.shapes import PLACEHOLDER


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of token; only group 1 is replaced where there is one."""

    name: str
    pattern: re.Pattern[str]


def _alone(start: str) -> str:
    """Match a text that no letter or digit stands before; the literal comes first because that is quick to find."""
    return rf"{re.escape(start)}(?<![A-Za-z0-9]{re.escape(start)})"


_T = r"[A-Za-z0-9_\-]"
_END = rf"(?!{_T})"
_SIGNS: dict[str, str | tuple[str, ...]] = {
    "_": rf"_(?={_T}{{10}})(?:(?<=gh[pousr]_)|(?<=hub_pat_)|(?<=npm_)|(?<=k_live_)|(?<=k_test_)|(?<=whsec_)|(?<=hf_)"
    r"|(?<=_v1_)|(?<=gsk_)|(?<=r8_)|(?<=shp[acps][atps]_)|(?<=shptka_)|(?<=lin_api_)|(?<=lin_oauth_)|(?<=glsa_)"
    r"|(?<=glc_)|(?<=dckr_[po]at_)|(?<=pscale_tkn_)|(?<=pscale_pw_)|(?<=pscale_oauth_)|(?<=sbp_)|(?<=sb_secret_)"
    r"|(?<=akili_[0-9a-f]{8}_)|(?<=rubygems_)|(?<=ntn_)|(?<=secret_)|(?<=figd_)|(?<=sntry[su]_))",
    "-": rf"-(?={_T}{{10}})(?:(?<=gl[a-z]{{2}}-)|(?<=gl[a-z]{{3}}-)|(?<=gl[a-z]{{4}}-)|(?<=gl[a-z]{{5}}-)"
    r"|(?<=xox[a-z]-)|(?<=xapp-)|(?<=sk-)|(?<=GOCSPX-)|(?<=pypi-)|(?<=key-)|(?<=xai-)|(?<=pplx-)|(?<=pul-)|(?<=NRAK-)|(?<=PMAK-)"
    r"|(?<=HRKU-)|(?<=sq0[a-z]{3}-))",
    "-us": r"-us(?<=[0-9a-f]{32}-us)\d",
    ".": rf"\.(?:(?={_T}{{10}})(?:(?<=ya29\.)|(?<=hv[sbr]\.)|(?<=SG\.)|(?<=dp\.[a-z]{{2}}\.)|(?<=dp\.scim\.)"
    rf"|(?<=dp\.audit\.)|(?<=\.atlasv1\.)|(?<=pat[A-Za-z0-9]{{14}}\.))|(?={_T}{{6}}\.{_T}{{27}})(?<={_T}{{24}}\.))",
    "A": r"A(?=KIA|SIA|BIA|CCA|KID|Iza|GE-SECRET|TATT3)",
    "eyJ": r"eyJ",
    "Q~": r"Q~",
    "LTAI": r"LTAI",
    "S": r"SK(?=[0-9a-f]{32})",
    "dapi": r"dapi(?=[0-9a-f]{32})",
    "LS0": r"LS0tLS1CRUdJTi",
    ":": rf":(?<=\d{{6}}:){_T}{{34}}",
    "$": r"\$(?=(?:[1567y]|2[abxy]?|apr1|argon2(?:id?|d)|sha1|gy|pbkdf2-sha\d{1,3})\$)",
    "{": r"\{(?=S?SHA)",
    "://": r"://",
    "hook": r"/(?=(?:services|workflows|triggers|webhooks|webhookb?2?)/[A-Za-z0-9])",
    "sig": r"ig(?:nature)?=(?=[A-Za-z0-9%+/_\-]{16})",
    "basic": (r"asic\s", r"ASIC\s"),
    "bearer": (r"earer\s", r"EARER\s"),
    "user": r"-(?=u|-user|-proxy-user)",
    "command": (
        r"sshpass\s",
        r"mysql",
        r"mariadb",
        r"mongo",
        r"redis-cli\s",
        r"ldap",
        r"smbclient\s",
        r"login(?<=[a-z] login)\s",
    ),
    "pipe": r"\|(?=\s{0,3}(?:sudo\s|chpasswd))",
    "machine": r"machine\s",
    "Private-Lines": r"Private-Lines:",
    "Unseal": r"Unseal Key",
    "5432": r":[56]432:",
}

_SHAPES = (
    ("A", "aws-access-key", r"A(?:KI|SI|BI|CC)A(?<![A-Za-z0-9]....)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("_", "github-token", r"gh[pousr]_[A-Za-z0-9]{20,}"),
    ("_", "github-token", r"github_pat_[A-Za-z0-9_]{20,}"),
    ("-", "gitlab-token",
     _alone("gl") + r"(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|oas|ffct|wt)-[A-Za-z0-9_.\-]{16,}"),
    ("-", "slack-token", _alone("xox") + r"[a-z](?:\.xox[a-z])?-[A-Za-z0-9\-]{10,}"),
    ("-", "slack-token", _alone("xapp-") + r"[A-Za-z0-9\-]{10,}"),
    ("hook", "slack-webhook", r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_\-]{16,})"),
    ("hook", "webhook", rf"/api/webhooks/\d{{5,25}}/({_T}{{20,}})"),
    ("hook", "webhook", rf"\.webhook\.office\.com/webhookb?2?/({_T}[A-Za-z0-9/_@.\-]{{20,400}})"),
    ("-", "anthropic-key", rf"sk-ant-{_T}{{16,}}"),
    ("-", "openai-key",
     _alone("sk-") + rf"(?:(?:proj|svcacct|admin|None|or-v1|or)-{_T}{{16,}}|[A-Za-z0-9]{{20,}})"),
    ("A", "google-key", rf"AIza{_T}{{35,}}"),
    (".", "google-token", rf"ya29\.{_T}{{20,}}"),
    ("-", "google-token", rf"GOCSPX-{_T}{{20,}}"),
    ("eyJ", "jwt", _alone("eyJ") + rf"{_T}{{8,}}\.{_T}{{8,}}(?:\.{_T}*){{1,3}}"),
    (":", "telegram-token", rf"(?<!\d)\d{{6,12}}:{_T}{{34,36}}{_END}"),
    ("_", "akili-key", _alone("akili_") + rf"[0-9a-f]{{8}}_{_T}{{40,}}"),
    ("_", "npm-token", _alone("npm_") + r"[A-Za-z0-9]{30,}"),
    ("-", "pypi-token", rf"pypi-{_T}{{30,}}"),
    ("_", "stripe-key", r"[srp]k_(?<![A-Za-z0-9]...)(?:live|test)_[A-Za-z0-9]{10,}"),
    ("_", "stripe-key", _alone("whsec_") + r"[A-Za-z0-9+/=]{16,}"),
    ("_", "huggingface-token", _alone("hf_") + r"[A-Za-z0-9]{24,}"),
    (".", "sendgrid-key", _alone("SG.") + rf"{_T}{{16,}}\.{_T}{{16,}}"),
    ("-", "mailgun-key", _alone("key-") + r"[0-9a-f]{32}" + _END),
    ("-us", "mailchimp-key", r"(?<![0-9A-Za-z])[0-9a-f]{32}-us\d{1,2}" + _END),
    ("S", "twilio-key", _alone("SK") + r"[0-9a-f]{32}" + _END),
    (".", "discord-token", rf"(?<!{_T})[MNO]{_T}{{23,25}}\.{_T}{{6}}\.{_T}{{27,40}}{_END}"),
    (".", "vault-token", r"hv[sbr]\.(?<![A-Za-z0-9]....)" + rf"{_T}{{20,}}"),
    ("_", "digitalocean-token", r"do[opr]_v1_(?<![A-Za-z0-9].{7})[a-f0-9]{40,}"),
    ("A", "age-key", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    ("A", "atlassian-token", r"ATATT3[A-Za-z0-9_\-=]{40,}"),
    ("_", "groq-key", _alone("gsk_") + r"[A-Za-z0-9]{30,}"),
    ("-", "xai-key", _alone("xai-") + r"[A-Za-z0-9]{40,}"),
    ("-", "perplexity-key", _alone("pplx-") + r"[A-Za-z0-9]{32,}"),
    ("_", "replicate-token", _alone("r8_") + r"[A-Za-z0-9]{30,}"),
    ("_", "shopify-token", _alone("shp") + r"(?:at|ca|pa|ss|tka)_[0-9a-fA-F]{32}"),
    ("_", "linear-key", _alone("lin_") + r"(?:api|oauth)_[A-Za-z0-9]{30,}"),
    ("_", "grafana-token", _alone("gl") + r"(?:sa|c)_[A-Za-z0-9+/=_]{24,}"),
    ("_", "docker-token", _alone("dckr_") + rf"(?:pat|oat)_{_T}{{20,}}"),
    ("_", "planetscale-token", _alone("pscale_") + r"(?:tkn|pw|oauth)_[A-Za-z0-9_.\-]{30,}"),
    ("_", "supabase-token", _alone("sb") + rf"(?:p|_secret)_{_T}{{20,}}"),
    ("_", "rubygems-token", _alone("rubygems_") + r"[0-9a-f]{40,}"),
    ("_", "notion-token", _alone("ntn_") + r"[A-Za-z0-9]{40,}"),
    ("_", "figma-token", _alone("figd_") + rf"{_T}{{30,}}"),
    ("_", "sentry-token", _alone("sntry") + r"[su]_[A-Za-z0-9+/=_]{40,}"),
    ("-", "pulumi-token", _alone("pul-") + r"[0-9a-f]{40}" + _END),
    ("-", "newrelic-key", _alone("NRAK-") + r"[A-Z0-9]{25,}"),
    ("-", "postman-key", _alone("PMAK-") + r"[0-9a-f]{24}-[0-9a-f]{30,}"),
    ("-", "tailscale-key", _alone("tskey-") + r"[a-z]{3,12}-[A-Za-z0-9\-]{16,}"),
    ("-", "heroku-key", _alone("HRKU-") + rf"{_T}{{30,}}"),
    (".", "doppler-token", _alone("dp.") + r"(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.\-]{30,}"),
    (".", "terraform-token", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-=]{40,}"),
    ("Q~", "azure-secret", r"(?<![A-Za-z0-9_~.\-])[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}(?![A-Za-z0-9_~.\-])"),
    ("dapi", "databricks-token", _alone("dapi") + r"[0-9a-f]{32}(?:-\d)?" + _END),
    ("-", "square-token", _alone("sq0") + rf"[a-z]{{3}}-{_T}{{22,}}"),
    ("_", "notion-token", _alone("secret_") + r"[A-Za-z0-9]{40,50}" + _END),
    (".", "airtable-token", _alone("pat") + r"[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("LTAI", "alibaba-key", _alone("LTAI") + r"[A-Za-z0-9]{12,24}" + _END),
    ("A", "tencent-key", _alone("AKID") + r"[A-Za-z0-9]{32}" + _END),
    ("LS0", "private-key",
     (r"LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJVkFURS|BFQyBQUklWQVRF|BPUEVOU1NIIFBSSVZBVEU|BFTkNSWVBURUQgUFJJVkFURS"
     r"|BEU0EgUFJJVkFURS|BQR1AgUFJJVkFURS)(?:[A-Za-z0-9+/=\s]|\\++[nr])*+")),
    ("$", "password-hash",
     r"\$(?:[1567y]|2[abxy]?|apr1|gy|sha1)\$(?=[./A-Za-z0-9$=,]{20})[./A-Za-z0-9$=,]{20,200}"),
    ("$", "password-hash", r"\$(?:argon2(?:id?|d)|pbkdf2-sha\d{1,3})\$[./A-Za-z0-9$=,+]{20,400}"),
    ("{", "password-hash", r"\{S?SHA(?:256|384|512)?\}[A-Za-z0-9+/]{20,200}={0,2}"),
    ("sig", "url-signature",
     r"[?&](?:X-Amz-|X-Goog-)?(?i:signature|sig)=([A-Za-z0-9%+/_\-]{16,1000}={0,2})"),
    ("bearer", "bearer",
     r"(?i:\bbearer)\s{1,4}([A-Za-z0-9._~+/\-]*[0-9._~+/][A-Za-z0-9._~+/=\-]{7,}|[A-Za-z0-9._~+/=\-]{20,})"),
    ("basic", "basic-auth",
     r"(?i:\bbasic)\s{1,4}(?=[a-z+/]*[A-Z0-9=])([A-Za-z0-9+/]{8,}={0,2})(?![A-Za-z0-9])"),
    ("://", "url-password",
     (r"://(?i:(?<=https://)|(?<=http://)|(?<=wss://)|(?<=ws://)|(?<=ftps://)|(?<=ftp://)|(?<=git://)|(?<=ssh://))"
     r"[^\s/?#:@\"'<>]{0,200}:([^\s/?#\"'<>]{1,500})@")),
    ("://", "url-password",
     (r"://(?<=[A-Za-z0-9+.\-]{2}://)(?i:(?<!https://)(?<!http://)(?<!wss://)(?<!ws://)(?<!ftps://)(?<!ftp://))"
     r"[^\s/?#:@\"'<>]{0,200}:(?!//)([^\s\"'<>]{1,500})@(?=[\w.\[\-])")),
    ("://", "url-user", r"://([A-Za-z0-9_\-.]{20,200})@"),
    ("user", "curl-user",
     r"-(?:(?<=\s-)u|-user|-proxy-user)[\s=]{0,3}[\"']?[^\s:\"'/]{1,100}:([^\s\"'/]{2,200})"),
    ("command", "sshpass", r"sshpass\s{1,3}-p\s{0,3}[\"']?([^\s\"']{1,200})"),
    ("command", "mysql-password", r"(?:mysql|mariadb)[a-z\-]{0,12}\s(?:[^\n|;&]{0,200}?\s)?-p[\"']?([^\s\"']{1,200})"),
    ("command", "cli-password",
     (r"(?:docker|podman|nerdctl|buildah|skopeo|crane auth|oras|registry|argocd|oc|az) login"
     r"\s(?:[^\n|;&]{0,200}?\s)?-p(?:\s{1,3}|=)?[\"']?([^\s\"'\-][^\s\"']{1,200})")),
    ("command", "cli-password",
     r"mongo[a-z]{0,8}\s(?:[^\n|;&]{0,200}?\s)?-p(?:\s{1,3}|=)?[\"']?([^\s\"'\-][^\s\"']{1,200})"),
    ("command", "cli-password", r"redis-cli\s(?:[^\n|;&]{0,200}?\s)?-a\s{1,3}[\"']?([^\s\"'\-][^\s\"']{0,200})"),
    ("command", "cli-password", r"ldap[a-z]{3,8}\s(?:[^\n|;&]{0,200}?\s)?-w\s{0,3}[\"']?([^\s\"'\-][^\s\"']{0,200})"),
    ("command", "cli-password", r"smbclient\s(?:[^\n|;&]{0,200}?\s)?-U\s{0,3}[\"']?[^\s%\"']{1,100}%([^\s\"']{1,200})"),
    ("pipe", "cli-password",
     (r"(?:echo|printf|<<<)\s{1,3}(?:-[a-z]{1,3}\s{1,3})?[\"']?([^\s\"'|]{2,200})[\"']?\s{0,3}\|\s{0,3}sudo\s"
     r"(?=[^\n|]{0,60}?-[a-zA-Z]{0,5}S)")),
    ("pipe", "cli-password",
     r"[\w.\-]{1,40}:([^\s\"':|]{2,200})[\"']?\s{0,3}\|\s{0,3}(?:sudo\s{1,3})?chpasswd"),
    ("Private-Lines", "private-key", r"Private-Lines:\s{0,3}\d{1,4}(?:\s|\\++[nr])((?:[A-Za-z0-9+/=\s]|\\++[nr])++)"),
    ("Unseal", "unseal-key", r"Unseal Key(?: \d{1,2})?(?: \([^)\n]{1,40}\))?:\s{0,3}([A-Za-z0-9+/=]{20,200})"),
    ("5432", "pgpass", r"(?<!\S)[\w.\-]{1,200}:[56]432:[^:\s]{1,60}:[^:\s]{1,60}:(\S{1,200})"),
    ("machine", "netrc",
     r"machine\s{1,9}\S{1,200}\s{1,9}(?:(?:login|account)\s{1,9}\S{1,200}\s{1,9}){0,2}password\s{1,9}(\S{1,500})"),
)  # fmt: skip
_HEADERS = (
    ("authorization",
     (r"(?i:authorization)\\{0,3}[\"']?\s{0,3}[:=]\s{0,3}\\{0,3}[\"']?"
     r"((?i:digest)\s[^\r\n]{1,4000}|(?i:basic|bearer|token|negotiate|ntlm|apikey|hmac|aws4-hmac-sha256)\s"
     r"[^\"'\\\r\n]{1,4000})")),
    ("cookie",
     r"(?i:\bcookie)\\{0,3}[\"']?\s{0,3}:\s{0,3}\\{0,3}[\"']?([^\s=\"'\\;]{1,200}=[^\"'\\\r\n]{1,8000})"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Family:
    """The shapes whose tokens all show one sign."""

    signs: tuple[re.Pattern[str], ...]
    shapes: tuple[Shape, ...]

    def seen_in(self, text: str) -> bool:
        for sign in self.signs:  # noqa: SIM110 - twice as fast as any() with a generator, and on the path of every call
            if sign.search(text):
                return True
        return False


_HEADER_SHAPES = tuple(Shape(name, re.compile(pattern)) for name, pattern in _HEADERS)
_FAMILIES = tuple(
    _Family(
        tuple(re.compile(sign) for sign in ((signs,) if isinstance(signs, str) else signs)),
        tuple(Shape(name, re.compile(pattern)) for of, name, pattern in _SHAPES if of == key),
    )
    for key, signs in _SIGNS.items()
)
NAMES = frozenset(name for name, _ in _HEADERS) | {name for _, name, _ in _SHAPES} | {"private-key", "phrase"}

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_RUN = re.compile(r"(?:[A-Za-z0-9+/=\s\\:,.\-]|\[redacted:pem\])*")

_PHRASE_SIGN = re.compile(r"(?i)mnemonic|(?:seed|recovery|backup)[ _-]phrase|keys add")
_PHRASE_CHARS = 900
_PHRASE_WORD = r"[a-z]{3,8}(?:[ \t]{1,4}|[ \t]{0,4}(?:,|\\n|\r?\n)\s{0,9})(?:\d{1,2}[.):]?\s{1,4})?"
_PHRASE = re.compile(
    r"(?<![A-Za-z])(?:"
    + "|".join(f"(?:{_PHRASE_WORD}){{{words - 1}}}[a-z]{{3,8}}(?![A-Za-z])" for words in (24, 21, 18, 15, 12))
    + ")"
)


def shown(text: str) -> Iterator[Shape]:
    """Give the shapes that are worth looking for in a text, by the signs it shows."""
    for family in _FAMILIES:
        if family.seen_in(text):
            yield from family.shapes


def headers(low: str) -> Iterator[Shape]:
    """Give the shapes of header lines whose names stand in a text given in lower case."""
    return (shape for shape in _HEADER_SHAPES if shape.name in low)


def speaks_of_phrases(low: str) -> bool:
    """Tell whether a text given in lower case may lead up to the words that a wallet is restored from."""
    return "mnemonic" in low or "phrase" in low or "keys add" in low


def shows_any(text: str) -> bool:
    """Tell, quickly, whether a text may hold a token or a key block."""
    return "PRIVATE KEY" in text or any(family.seen_in(text) for family in _FAMILIES)


def hide_private_keys(text: str) -> str:
    """Replace PEM private key blocks, also one whose end is missing."""
    out: list[str] = []
    at = 0
    ended = True
    while begin := _PEM_BEGIN.search(text, at):
        end = _PEM_END.search(text, begin.end()) if ended else None
        ended = end is not None
        run = None if end else _PEM_RUN.match(text, begin.end())
        out += [text[at : begin.start()], "[redacted:private-key]"]
        at = end.end() if end else run.end() if run else begin.end()
    return text if not out else "".join([*out, text[at:]])


def hide_phrases(text: str) -> str:
    """Replace twelve or more short plain words in a row where a mnemonic or a recovery phrase is spoken of."""
    out: list[str] = []
    at = 0
    while sign := _PHRASE_SIGN.search(text, at):
        phrase = _PHRASE.search(text, max(at, sign.start() - _PHRASE_CHARS), sign.end() + _PHRASE_CHARS)
        end = phrase.end() if phrase else sign.end() + _PHRASE_CHARS
        out += [text[at : phrase.start()], "[redacted:phrase]"] if phrase else [text[at:end]]
        at = end
    return "".join([*out, text[at:]]) if out else text


def hide_shape(shape: Shape, text: str) -> str:
    """Replace every token of one shape."""
    return shape.pattern.sub(_replacement(shape), text)


def _replacement(shape: Shape) -> Callable[[re.Match[str]], str]:
    marker = f"[redacted:{shape.name}]"

    def replace(match: re.Match[str]) -> str:
        if not match.re.groups:
            return marker
        inner = match.group(1)
        if (inner.isdigit() and shape.name == "curl-user") or PLACEHOLDER.match(inner):
            return match.group()
        whole, start = match.group(), match.start()
        return whole[: match.start(1) - start] + marker + whole[match.end(1) - start :]

    return replace
