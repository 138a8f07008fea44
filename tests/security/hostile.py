"""Pieces of text which, repeated, would take a careless pattern very long."""

from __future__ import annotations

HOSTILE = (
    *("a", "a-", "A", "0", "0x", "-", "--", "=", ".", " ", "\n", "\t", "{", "<a>", '"', "'", "\\", '\\"', "\x00"),
    *("\u200b", "\x1b[", "\x1b[1m", "\u0130", "ünï", "[redacted:", "[redacted:x]", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1d/"),
    *("%", "%25", "25", "%41", "\\u", "\\u0041", "\\x", "&", "&#", "&#65;", "&amp;", "=\n", "=3D", "AB="),
    *("000 ", "0000000 ", "0000000: 41 ", "0000000   a", "000000000000"),
    *("password=", "password='", 'password="', "password: ", "x: ", "passphrase: a b ", "<password>", "--password "),
    *("key", "key ", "keykey=", "token:", 'secret\\"', "client_secret", "-----BEGIN", "-----BEGIN PRIVATE KEY-----"),
    *("Private-Lines: 1\n", "LS0tLS1CRUdJTiBQUklWQVRF", "eyJ", "eyJa.", "a.a.", "sk-", "gl", "ghp_", "k_live_"),
    *("_aaaaaaaaaaaa", "AKIA", "AIza", "SG.", "dp.", "Q~", "$6$", "$1$a", "123456:", "a:", "a:5432:a:a:", "://"),
    *("://a:", "://a:a://a:a@", "?sig=", "ig=", "/services/", "bearer ", "authorization: digest ", "cookie: a="),
    *("Cookie:", "mysql ", "mysql -", "login ", "docker login ", "docker login -p", "echo a", "echo a|sudo ", "|sudo "),
    *("-u a:", "machine a ", "Unseal Key ", "mnemonic ", "word ", "mnemonic word ", "keys add "),
)
