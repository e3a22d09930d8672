"""Answers of models that are kept for a time."""

from piccolo.columns import Text, Timestamptz, Varchar
from piccolo.table import Table

from db.tables.clock import DatabaseClock


class Answer(Table, tablename="answer"):
    """What a model has answered in a step that has a cache: given again where the same is asked. Lost in a crash."""

    key = Varchar(primary_key=True, length=71, default=None, help_text="The hash of all that was asked.")
    model = Text(null=False, default=None, help_text="As provider/model.")
    content = Text(null=False, default=None, help_text="The answer as JSON.")
    kept_at = Timestamptz(null=False, default=DatabaseClock())
    expires_at = Timestamptz(null=False, default=None)
