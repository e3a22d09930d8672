"""Python types as TypeScript: what msgspec reads and writes, in the words of the other side."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeGuard, get_args, get_origin

import msgspec
from msgspec import inspect as shapes

Use: TypeAlias = Literal["input", "output"]
Record: TypeAlias = shapes.StructType | shapes.DataclassType | shapes.TypedDictType | shapes.NamedTupleType

# Names the generated module has given away already.
TAKEN = frozenset({"AppRouter", "ErrorData", "Json", "Mutation", "Query", "Stream", "Subscription", "Tracked"})
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")

_PLAIN: dict[type[shapes.Type], str] = {
    shapes.AnyType: "Json",
    shapes.RawType: "Json",
    shapes.NoneType: "null",
    shapes.BoolType: "boolean",
    shapes.IntType: "number",
    shapes.FloatType: "number",
    shapes.StrType: "string",
    shapes.BytesType: "string",
    shapes.ByteArrayType: "string",
    shapes.MemoryViewType: "string",
    shapes.DateTimeType: "string",
    shapes.DateType: "string",
    shapes.TimeType: "string",
    shapes.TimeDeltaType: "string",
    shapes.UUIDType: "string",
    shapes.DecimalType: "string",
}


class Named(NamedTuple):
    """One alias: a record or an enumeration, as it is sent or as it is answered."""

    shape: Record | shapes.EnumType
    use: Use


class Types:
    """The aliases that some inputs and outputs need, and expressions in terms of them.

    A record has one alias, unless it is used both ways and looks different: a field with a default may be left out
    of what the client sends and is always there in what it gets. Then the input's alias ends in `Input`.
    """

    def __init__(self, inputs: Sequence[shapes.Type], outputs: Sequence[shapes.Type]) -> None:
        # An input is written where it stands; only what it is made of has a name.
        sent = _named(part for input in inputs for part in _parts(input))
        answered = _named(outputs)
        self._two_faced = {cls for cls in sent.keys() & answered.keys() if _is_two_faced(sent[cls])}
        self._uses = [Named(shape, "output") for shape in answered.values()]
        self._uses += [Named(sent[cls], "input") for cls in sent if cls in self._two_faced or cls not in answered]
        self._names = _names(self._uses, self._two_faced)

    @property
    def names(self) -> set[str]:
        """What the aliases are called."""
        return set(self._names.values())

    def aliases(self) -> list[str]:
        """The declarations, by name."""
        by_name = {self._name(*named): named for named in self._uses}
        return [self._alias(name, *by_name[name]) for name in sorted(by_name)]

    def expression(self, shape: shapes.Type, use: Use) -> str:
        """A type as it is written where it is used."""
        if isinstance(shape, shapes.Metadata):
            return self.expression(shape.type, use)
        if plain := _PLAIN.get(type(shape)):
            return plain
        if _is_named(shape):
            return self._name(shape, use)
        match shape:
            case shapes.LiteralType(values=values):
                return " | ".join(map(_literal, values))
            case shapes.UnionType(types=types):
                return " | ".join(dict.fromkeys(self.expression(type_, use) for type_ in types))
            case shapes.TupleType(item_types=items):
                return f"[{', '.join(self.expression(item, use) for item in items)}]"
            case shapes.DictType(value_type=value) | shapes.FrozenDictType(value_type=value):
                return f"{{ [key: string]: {self.expression(value, use)} }}"
            case shapes.CollectionType(item_type=item):
                written = self.expression(item, use)
                return f"({written})[]" if _is_union(item) else f"{written}[]"
            case _:
                raise TypeError(f"{shape} has no counterpart in TypeScript")

    def inline(self, shape: shapes.Type, use: Use) -> str:
        """A record written out, without a name."""
        assert _is_record(shape), "only records can be written out"
        return f"{{ {'; '.join(self._fields(shape, use))} }}"

    def _alias(self, name: str, shape: Record | shapes.EnumType, use: Use) -> str:
        if isinstance(shape, shapes.EnumType):
            written = " | ".join(_literal(member.value) for member in shape.cls)
        elif _is_array(shape):
            written = self._tuple(shape, use)
        else:
            written = "\n".join(["{", *(f"  {field};" for field in self._fields(shape, use)), "}"])
        return "\n".join([*comment(_doc(shape), ""), f"export type {name} = {written};", ""])

    def _fields(self, shape: Record, use: Use) -> Iterator[str]:
        if isinstance(shape, shapes.StructType) and shape.tag_field is not None:
            yield f"{key(shape.tag_field)}: {_literal(shape.tag)}"
        for field in shape.fields:
            written = self.expression(field.type, use)
            if _may_be_absent(shape, field, use):
                yield f"{key(field.encode_name)}?: {written} | undefined"
            else:
                yield f"{key(field.encode_name)}: {written}"

    def _tuple(self, shape: Record, use: Use) -> str:
        items = [self.expression(field.type, use) for field in shape.fields]
        if isinstance(shape, shapes.StructType) and shape.tag_field is not None:
            items.insert(0, _literal(shape.tag))
        return f"[{', '.join(items)}]"

    def _name(self, shape: Record | shapes.EnumType, use: Use) -> str:
        return self._names[shape.cls, use if shape.cls in self._two_faced else None]


def key(name: str) -> str:
    """A property name, quoted where it has to be."""
    return name if _IDENTIFIER.fullmatch(name) else _literal(name)


def comment(text: str, indent: str) -> list[str]:
    """A documentation comment of one line, or none if there is nothing to say."""
    return [f"{indent}/** {text.replace('*/', '*∕')} */"] if text else []


def _literal(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _doc(shape: Record | shapes.EnumType) -> str:
    # Dataclasses and enumerations are born with a docstring that says nothing.
    if not isinstance(shape, shapes.StructType):
        return ""
    cls: Any = get_origin(shape.cls) or shape.cls
    return " ".join((cls.__doc__ or "").strip().partition("\n\n")[0].split())


def _is_record(shape: shapes.Type) -> TypeGuard[Record]:
    return isinstance(shape, get_args(Record))


def _is_named(shape: shapes.Type) -> TypeGuard[Record | shapes.EnumType]:
    return _is_record(shape) or isinstance(shape, shapes.EnumType)


def _is_array(shape: Record) -> bool:
    return isinstance(shape, shapes.NamedTupleType) or (isinstance(shape, shapes.StructType) and shape.array_like)


def _is_union(shape: shapes.Type) -> bool:
    if isinstance(shape, shapes.Metadata):
        return _is_union(shape.type)
    return isinstance(shape, shapes.UnionType) or (isinstance(shape, shapes.LiteralType) and len(shape.values) > 1)


def _parts(shape: shapes.Type) -> Iterable[shapes.Type]:
    if _is_record(shape):
        return [field.type for field in shape.fields]
    match shape:
        case shapes.Metadata(type=type_):
            return [type_]
        case shapes.UnionType(types=types):
            return types
        case shapes.TupleType(item_types=items):
            return items
        case shapes.DictType(value_type=value) | shapes.FrozenDictType(value_type=value):
            return [value]
        case shapes.CollectionType(item_type=item):
            return [item]
        case _:
            return ()


def _named(roots: Iterable[shapes.Type]) -> dict[Any, Record | shapes.EnumType]:
    """Every record and enumeration that `roots` are made of, by class."""
    found: dict[Any, Record | shapes.EnumType] = {}
    waiting = list(roots)
    while waiting:
        shape = waiting.pop()
        if _is_named(shape):
            if shape.cls in found:
                continue
            found[shape.cls] = shape
        waiting.extend(_parts(shape))
    return found


def _is_two_faced(shape: Record | shapes.EnumType) -> bool:
    records = [part for part in _named([shape]).values() if _is_record(part)]
    return any(_differs(record, field) for record in records for field in record.fields)


def _differs(record: Record, field: shapes.Field) -> bool:
    return _may_be_absent(record, field, "input") != _may_be_absent(record, field, "output")


def _may_be_absent(record: Record, field: shapes.Field, use: Use) -> bool:
    if field.required or _is_array(record):
        return False
    if use == "input":
        return True
    unset = field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
    return unset or bool(getattr(getattr(record.cls, "__struct_config__", None), "omit_defaults", False))


def _names(uses: Sequence[Named], two_faced: set[Any]) -> dict[tuple[Any, Use | None], str]:
    """A name for each alias: the class's own, with its module's in front where two would share it."""
    own: dict[tuple[Any, Use | None], str] = {}
    for shape, use in uses:
        own[shape.cls, use if shape.cls in two_faced else None] = _own_name(shape.cls, use, two_faced)
    times = Counter(own.values())
    names = {
        key: name if times[name] == 1 and name not in TAKEN else _module_name(key[0]) + name
        for key, name in own.items()
    }
    for name, count in Counter(names.values()).items():
        if count > 1:
            raise TypeError(f"there are two types called {name}, in modules of the same name")
    return names


def _own_name(cls: Any, use: Use, two_faced: set[Any]) -> str:
    origin = get_origin(cls)
    arguments = "And".join(
        re.sub(r"\W+", "", getattr(argument, "__name__", str(argument))) for argument in get_args(cls)
    )
    name = f"{origin.__name__}Of{arguments}" if origin else cls.__name__
    return f"{name}Input" if use == "input" and cls in two_faced else name


def _module_name(cls: Any) -> str:
    words = (get_origin(cls) or cls).__module__.rpartition(".")[2].split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)
