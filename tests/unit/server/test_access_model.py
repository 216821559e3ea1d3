"""The authorizer against the definition of RBAC: every binding, every rule, every subject looked at, in any order of
writes, changes and deletions."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplane.server.access.authorizer import Authorizer
from groundplane.server.access.rules import Asked, Rule, missing
from groundplane.server.users import User
from groundplane.store.contract import Key
from groundplane.store.memory import open_memory

GROUP = "rbac.authorization.k8s.io"
NAMES = st.sampled_from(["a", "b"])
VERBS = st.sampled_from(["get", "list", "*"])
GROUPS = st.sampled_from(["", "g", "*"])
WHATS = st.sampled_from(["x", "y", "x/s", "*/s", "*"])
PATHS = st.sampled_from(["/p", "/p/*", "/p*", "*"])
LABELS = st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["1", "2"]), max_size=2)
Objects = dict[Key, dict[str, Any]]


def some(values: st.SearchStrategy[str], least: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(values, min_size=least, max_size=2)


def rules(*, paths: bool) -> st.SearchStrategy[dict[str, Any]]:
    names = some(NAMES, 0)
    about = st.fixed_dictionaries(
        {"verbs": some(VERBS), "apiGroups": some(GROUPS), "resources": some(WHATS), "resourceNames": names}
    )
    urls = st.fixed_dictionaries({"verbs": some(VERBS), "nonResourceURLs": some(PATHS)})
    return st.one_of(about, urls) if paths else about


def keys(plural: str, namespaces: st.SearchStrategy[str]) -> st.SearchStrategy[Key]:
    return st.builds(Key, st.just(f"{plural}.{GROUP}"), namespaces, NAMES)


SUBJECTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"kind": st.sampled_from(["User", "Group"]), "name": NAMES}),
        st.fixed_dictionaries({"kind": st.just("ServiceAccount"), "name": NAMES, "namespace": NAMES}),
        st.fixed_dictionaries({"kind": st.just("ServiceAccount"), "name": NAMES}),
    ),
    max_size=2,
)
SELECTOR = st.one_of(
    st.fixed_dictionaries({"matchLabels": LABELS}),
    st.fixed_dictionaries(
        {
            "matchExpressions": st.lists(
                st.fixed_dictionaries(
                    {"key": st.sampled_from(["k", "l"]), "operator": st.sampled_from(["In", "NotIn"]),
                     "values": st.just(["1"])}
                ),
                max_size=2,
            )
        }
    ),
)  # fmt: skip
METADATA = st.fixed_dictionaries({"labels": LABELS})
ROLE = st.fixed_dictionaries({"metadata": METADATA, "rules": st.lists(rules(paths=False), max_size=3)})
CLUSTER_ROLE = st.fixed_dictionaries(
    {"metadata": METADATA, "rules": st.lists(rules(paths=True), max_size=3)},
    optional={"aggregationRule": st.fixed_dictionaries({"clusterRoleSelectors": st.lists(SELECTOR, max_size=2)})},
)


def bound(*kinds: str) -> st.SearchStrategy[dict[str, Any]]:
    reference = st.fixed_dictionaries({"kind": st.sampled_from(kinds), "name": NAMES})
    return st.fixed_dictionaries({"metadata": METADATA, "roleRef": reference, "subjects": SUBJECTS})


NOWHERE = st.just("")
# A write of one object, or its deletion.
WRITE = st.one_of(
    st.tuples(keys("roles", NAMES), st.one_of(st.none(), ROLE)),
    st.tuples(keys("clusterroles", NOWHERE), st.one_of(st.none(), CLUSTER_ROLE)),
    st.tuples(keys("rolebindings", NAMES), st.one_of(st.none(), bound("Role", "ClusterRole"))),
    st.tuples(keys("clusterrolebindings", NOWHERE), st.one_of(st.none(), bound("ClusterRole"))),
)
USER = st.builds(
    User,
    st.sampled_from(["a", "b", "system:serviceaccount:a:a", "system:serviceaccount:b:a"]),
    st.lists(NAMES, max_size=2).map(tuple),
)
ASKED = st.one_of(
    st.builds(
        Asked, st.sampled_from(["get", "list", "watch"]), st.sampled_from(["", "g", "h"]), st.sampled_from(["x", "y"]),
        st.sampled_from(["", "s", "t"]), st.sampled_from(["", "a", "b"]), st.sampled_from(["", "a", "b"]),
    ),
    st.builds(Asked, st.just("get"), path=st.sampled_from(["/p", "/p/q", "/q"])),
)  # fmt: skip


def defined(objects: Objects, user: User, asked: Asked) -> bool:
    """Decide as the definition says, one thing after another."""
    for key, obj in objects.items():
        if key.resource.startswith(("roles.", "clusterroles.")):
            continue
        if key.namespace and (asked.path or key.namespace != asked.namespace):
            continue
        if not any(meant(subject, key.namespace, user) for subject in obj["subjects"]):
            continue
        reference = obj["roleRef"]
        where = key.namespace if reference["kind"] == "Role" else ""
        role = Key(f"{reference['kind'].lower()}s.{GROUP}", where, reference["name"])
        if any(permits(rule, asked) for rule in effective(objects, role)):
            return True
    return False


def meant(subject: dict[str, Any], namespace: str, user: User) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    if subject["kind"] == "User":
        return bool(subject["name"] == user.name)
    return user.name == f"system:serviceaccount:{subject.get('namespace') or namespace}:{subject['name']}"


def effective(objects: Objects, role: Key) -> list[dict[str, Any]]:
    """Return the rules of a role: those of every role that can be reached over aggregation rules."""
    reached, todo = set[Key](), [role]
    found: list[dict[str, Any]] = []
    while todo:
        key = todo.pop()
        if key in reached or key not in objects:
            continue
        reached.add(key)
        aggregation = objects[key].get("aggregationRule")
        if aggregation is None:
            found += objects[key]["rules"]
            continue
        for other, obj in objects.items():
            selectors = aggregation["clusterRoleSelectors"]
            if other.resource.startswith("clusterroles.") and any(
                chosen(selector, obj["metadata"]["labels"]) for selector in selectors
            ):
                todo.append(other)
    return found


def chosen(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    plain = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return plain and all(
        (labels.get(term["key"]) in term["values"]) == (term["operator"] == "In")
        for term in selector.get("matchExpressions", [])
    )


def permits(rule: dict[str, Any], asked: Asked) -> bool:
    if not {asked.verb, "*"} & set(rule["verbs"]):
        return False
    if asked.path:
        return any(
            url == asked.path or (url[-1] == "*" and asked.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs", [])
        )
    wanted = {"*", f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource}
    wanted |= {f"*/{asked.subresource}"} if asked.subresource else set()
    names = rule.get("resourceNames", [])
    return bool(
        {asked.group, "*"} & set(rule.get("apiGroups", []))
        and wanted & set(rule.get("resources", []))
        and (not names or asked.name in names)
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(WRITE, max_size=14), st.lists(st.tuples(USER, ASKED), min_size=1, max_size=8), st.integers(0, 14))
def test_decisions_are_those_of_the_definition_after_every_write(
    writes: list[tuple[Key, dict[str, Any] | None]], questions: list[tuple[User, Asked]], late: int
) -> None:
    async def check() -> None:
        store = await open_memory()
        objects: Objects = {}
        revisions: dict[Key, int] = {}
        authorizer = None
        for number, (key, obj) in enumerate(writes):
            if number == late:
                # What was there before it began is known as well.
                authorizer = Authorizer(store)
            value = msgspec.json.encode(obj)
            if obj is None:
                if objects.pop(key, None) is not None:
                    await store.delete(key, expected=revisions[key])
            elif key in objects:
                revisions[key] = (
                    await store.update(key, lambda _, value=value: value, expected=revisions[key])
                ).revision
                objects[key] = obj
            else:
                revisions[key] = (await store.create(key, lambda _, value=value: value)).revision
                objects[key] = obj
            for user, asked in questions if authorizer else ():
                assert authorizer.decide(user, asked).allowed == defined(objects, user, asked), (user, asked)
        authorizer = authorizer or Authorizer(store)
        for user, asked in questions:
            assert authorizer.decide(user, asked).allowed == defined(objects, user, asked), (user, asked)
        await store.close()

    asyncio.run(check())


SPACE = [
    *(Asked(*parts) for parts in itertools.product(["get", "list", "other"], ["", "g", "other"], ["x", "y", "other"],
                                                   ["", "s", "other"], ["n"], ["", "a", "b", "other"])),
    *(Asked(verb, path=path) for verb in ("get", "list", "other") for path in ("/p", "/p/", "/p/q", "/px", "/other")),
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(rules(paths=True), max_size=3), st.lists(rules(paths=True), max_size=2))
def test_rules_that_are_covered_allow_nothing_new(held: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    lacking = missing(msgspec.convert(held, list[Rule]), msgspec.convert(wanted, list[Rule]))
    if not lacking:
        new = [a for a in SPACE if any(permits(r, a) for r in wanted) and not any(permits(r, a) for r in held)]
        assert not new
    assert not missing(msgspec.convert(wanted, list[Rule]), msgspec.convert(wanted, list[Rule]))
