"""Secrets: data, types, immutability."""

from typing import Any

from ..dsl import SECRETS, Case, case, get, patch, post, put, secret

S = f"{SECRETS}/s"
DATA = {"data": {"a": "MQ=="}}


def made(name: str, **fields: Any) -> Case:
    return case(name, post(SECRETS, secret(**fields)))


CASES = [
    made("with data", data={"a": "MQ=="}),
    made("without data"),
    made("with empty data", data={}),
    made("with an empty value", data={"a": ""}),
    made("with a null value", data={"a": None}),
    made("with text", stringData={"a": "text"}),
    made("text wins over data", data={"a": "MQ==", "b": "Mg=="}, stringData={"a": "text"}),
    made("with text in Chinese", stringData={"a": "集群"}),
    made("with data that is not base64", data={"a": "%%"}),
    made("with base64 without padding", data={"a": "MQ"}),
    made("with base64 in lines", data={"a": "MQ\n=="}),
    made("with base64 of the URL kind", data={"a": "_-8="}),
    made("with a bad key", data={"a b": "MQ=="}),
    made("with an empty key", data={"": "MQ=="}),
    made("with dots as a key", data={"..": "MQ=="}),
    made("with a key that begins with two dots", data={"..a": "MQ=="}),
    made("with a key of 254 characters", data={"a" * 254: "MQ=="}),
    made("that is too large", data={"a": "MTEx" * 350000}),
    made("of a type of its own", type="example.com/x"),
    made("of an empty type", type=""),
    made("of a type that is a number", type=5),
    made("that is immutable", immutable=True, data={"a": "MQ=="}),
    made("that is immutable in words", immutable="yes"),
    made("for basic authentication without anything", type="kubernetes.io/basic-auth"),
    made("for basic authentication", type="kubernetes.io/basic-auth", stringData={"username": "a"}),
    made("for SSH without a key", type="kubernetes.io/ssh-auth"),
    made("for TLS without anything", type="kubernetes.io/tls"),
    made("for a registry without anything", type="kubernetes.io/dockerconfigjson"),
    made("for a registry that is no JSON", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": "MQo9"}),
    made("for a service account without a name", type="kubernetes.io/service-account-token"),
    case("the type does not change", post(SECRETS, secret(**DATA)), patch(S, {"type": "example.com/x"})),
    case("an immutable one does not change", post(SECRETS, secret(immutable=True, **DATA)), patch(S, {"data": {"a":
         "Mg=="}})),
    case("an immutable one stays so", post(SECRETS, secret(immutable=True, **DATA)), patch(S, {"immutable": False})),
    case("the labels of an immutable one change", post(SECRETS, secret(immutable=True, **DATA)),
         patch(S, {"metadata": {"labels": {"a": "b"}}})),
    case("one becomes immutable", post(SECRETS, secret(**DATA)), patch(S, {"immutable": True})),
    case("put with text", post(SECRETS, secret(**DATA)), put(S, secret(stringData={"b": "x"})), get(S)),
    case("a value of a type of its own", post(SECRETS, secret(**DATA, type="x")), put(S, secret(**DATA))),
]
