"""The router: every procedure path on one screen."""

from api.procedures import executions, orchestrations, roles, runs, system, tokens
from api.rpc import Family, Router

router = Router(
    role=Router(
        list=roles.list_,
        get=roles.get,
        create=roles.create,
        update=roles.update,
        delete=roles.delete,
    ),
    orchestration=Router(
        list=orchestrations.list_,
        get=orchestrations.get,
        create=orchestrations.create,
        update=orchestrations.update,
        delete=orchestrations.delete,
        validate=orchestrations.validate,
        diff=orchestrations.diff,
        schema=orchestrations.schema,
    ),
    execution=Router(
        start=executions.start,
        run=executions.run,
        follow=executions.follow,
        get=executions.get,
        list=executions.list_,
        steps=executions.steps,
        cancel=executions.cancel,
        pause=executions.pause,
        resume=executions.resume,
        restart=executions.restart,
        retry=executions.retry,
        complete_step=executions.complete_step,
        skip_step=executions.skip_step,
        cancel_many=executions.cancel_many,
        pause_many=executions.pause_many,
        resume_many=executions.resume_many,
        retry_many=executions.retry_many,
    ),
    run=Family(runs.member),
    token=Router(
        list=tokens.list_,
        create=tokens.create,
        revoke=tokens.revoke,
    ),
    system=Router(
        health=system.health,
        whoami=system.whoami,
    ),
)
