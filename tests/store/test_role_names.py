"""Roles are told by their labels, with the names beside them that people type."""

from __future__ import annotations

from crm_core.store.policy import Policy

POLICY = Policy(vocabularies={"role": {"kam": "Key account manager", "sales": "Sales", "reader": "reader"}})


def test_by_the_label_and_the_name_where_they_differ():
    assert str(POLICY.named_roles("kam", "sales", "reader")) == "Key account manager (kam), sales, reader"


def test_in_another_language():
    words = {"Key account manager": "大客户经理", "Sales": "销售"}
    told = POLICY.named_roles("kam", "sales").told(lambda label: words.get(label, label))
    assert told == "大客户经理 (kam), 销售 (sales)"


def test_what_no_role_of_the_build_is_by_what_was_written():
    assert str(POLICY.named_roles("gone")) == "gone"
