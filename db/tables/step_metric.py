"""What steps and model calls take, by the hour."""

from piccolo.columns import BigInt, Numeric, SmallInt, Timestamptz, Varchar
from piccolo.table import Table


class StepMetric(Table, tablename="step_metric"):
    """What the executions that finished in an hour had of attempts and calls of one kind, role, model and duration.

    Read from the journal when the hour is over, by `step_metrics_keep`, and kept when the journal is pruned. The key is
    the first five columns together, which Piccolo cannot say.
    """

    hour = Timestamptz(primary_key=True, null=False, default=None)
    kind = Varchar(length=None, null=False, default=None)
    role = Varchar(length=None, null=False, default=None, help_text="Empty for none.")
    model = Varchar(length=None, null=False, default=None, help_text="Empty where attempts are counted, not calls.")
    bucket = SmallInt(null=False, default=None, help_text="2 to the power of an eighth of it is the duration in ms.")
    number = BigInt(null=False, default=None)
    succeeded = BigInt(null=False, default=None)
    input_tokens = BigInt(null=False, default=None)
    output_tokens = BigInt(null=False, default=None)
    cost_usd = Numeric(null=False, default=None, help_text="Of the calls of known price.")
    unpriced = BigInt(null=False, default=None, help_text="Calls of which nobody knows what they cost.")
    cached = BigInt(null=False, default=None, help_text="Calls that were answered from the cache.")


class StepMetricHour(Table, tablename="step_metric_hour"):
    """An hour that `StepMetric` has; they follow each other without a gap."""

    hour = Timestamptz(primary_key=True, null=False, default=None)
