"""A party's salesperson; and the user in the context of access rules, as the module *company* adds its companies."""

from trytond.model import Index, fields
from trytond.pool import PoolMeta
from trytond.transaction import Transaction


class Party(metaclass=PoolMeta):
    """A party with the user who is responsible."""

    __name__ = "party.party"

    salesperson = fields.Many2One("res.user", "Salesperson")

    @classmethod
    def __setup__(cls):
        """Index the salesperson, and the order of lists."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_indexes.update(
            {
                Index(table, (table.salesperson, Index.Range())),
                Index(table, (table.name, Index.Range()), (table.id, Index.Range())),
            }
        )


class Rule(metaclass=PoolMeta):
    """A rule of access, which may compare with ``user_id``."""

    __name__ = "ir.rule"

    @classmethod
    def _get_cache_key(cls, model_names):
        return (*super()._get_cache_key(model_names), Transaction().user)

    @classmethod
    def _get_context(cls, model_name):
        return {**super()._get_context(model_name), "user_id": Transaction().user}
