"""Layers in a tree of modules, and the planner.v1.LayerGraph that they make."""

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple, Union

Shape = Tuple[int, ...]

# Sequences within sequences; the proto allows 32.
_MAX_NESTING = 24
_MAX_NAME_BYTES = 200


@dataclass(eq=False)
class GraphInput:
    """An input of the graph."""

    name: str
    shape: Shape
    dtype: str
    batch_dimension: int


@dataclass(eq=False)
class Layer:
    """One layer, with what it reads as the layers themselves."""

    kind: str
    """The field of planner.v1.Layer: "linear"."""
    fields: Dict[str, Any]
    inputs: List["Source"]
    shape: Shape
    """Of its output."""
    hint: str
    """What it would like to be called."""
    shared: bool = False
    tied_to: Optional["Layer"] = None
    """The embedding whose table is a linear layer's weight."""
    region: Optional["Region"] = None


Source = Union[GraphInput, Layer]


@dataclass(eq=False)
class Region:
    """What a module did, in order. Becomes a `sequence` layer if only its last output is read from outside."""

    hint: str
    items: List[Union[Layer, "Region"]] = field(default_factory=list)
    parent: Optional["Region"] = None
    source: Optional[Source] = None
    """What the sequence reads."""

    def layers(self) -> Iterable[Layer]:
        for item in self.items:
            if isinstance(item, Layer):
                yield item
            else:
                yield from item.layers()

    def last(self) -> Optional[Layer]:
        """The layer whose output is the region's."""
        if not self.items:
            return None
        item = self.items[-1]
        return item if isinstance(item, Layer) else item.last()


# Kinds that cost nothing: nobody misses them where nobody reads them.
_FREE = {"reshape", "permute", "flatten", "select", "slice", "concat", "dropout"}


def _is_free(layer: Layer) -> bool:
    return layer.kind in _FREE or (layer.kind == "operation" and layer.fields.get("flops_per_element") == 0)


class GraphWriter:
    """Writes one graph. Changes the regions that it is given."""

    def __init__(self, name: str, inputs: List[GraphInput], root: Region, outputs: List[Source]):
        self._name = name
        self._inputs = inputs
        self._root = root
        self._outputs = [output for output in outputs if isinstance(output, Layer)]
        self._names: Dict[Union[Layer, Region], str] = {}

    def write(self) -> Dict[str, Any]:
        """The graph as the JSON mapping of planner.v1.LayerGraph, with the proto's field names."""
        self._drop_unread()
        self._link(self._root)
        self._nest(self._root, depth=0)
        self._assign_names(self._root, {graph_input.name for graph_input in self._inputs})
        self._avoid_hidden_names()
        layers = _repeated(self._body(self._root, first_source=self._inputs[0]))
        for layer in _all_layers(layers):
            layer.pop("$shapes", None)
        graph: Dict[str, Any] = {"name": self._name, "inputs": [], "layers": layers}
        for graph_input in self._inputs:
            graph["inputs"].append({"name": graph_input.name, "shape": list(graph_input.shape), "dtype": graph_input.dtype,
                                    "batch_dimension": graph_input.batch_dimension, "sequence_dimension": -1})
        return graph

    def _drop_unread(self) -> None:
        keep: Set[Layer] = set(self._outputs)
        for layer in reversed(list(self._root.layers())):
            if layer in keep or not _is_free(layer):
                keep.add(layer)
                keep.update(source for source in layer.inputs if isinstance(source, Layer))

        def filtered(region: Region) -> None:
            for item in region.items:
                if isinstance(item, Region):
                    filtered(item)
            region.items = [item for item in region.items if (item in keep if isinstance(item, Layer) else item.items)]

        filtered(self._root)

    def _link(self, region: Region) -> None:
        for item in region.items:
            if isinstance(item, Layer):
                item.region = region
            else:
                item.parent = region
                self._link(item)

    def _nest(self, region: Region, depth: int) -> None:
        """Splices into each region those below it that cannot be sequences, bottom up."""
        readers = self._readers()
        outputs = set(self._outputs)

        def closed(inner: Region) -> bool:
            members = set(inner.layers())
            last = inner.last()
            return all(
                layer is last or (layer not in outputs and all(reader in members for reader in readers.get(layer, ())))
                for layer in members
            )

        def visit(outer: Region, level: int) -> None:
            items: List[Union[Layer, Region]] = []
            for item in outer.items:
                if isinstance(item, Layer):
                    items.append(item)
                    continue
                visit(item, level + 1)
                if len(item.items) == 1:
                    only = item.items[0]
                    only.hint = item.hint if isinstance(only, Layer) else f"{item.hint}/{only.hint}"
                    items.append(only)
                elif level < _MAX_NESTING and closed(item):
                    items.append(item)
                else:
                    for only in item.items:
                        only.hint = f"{item.hint}/{only.hint}"
                        items.append(only)
            outer.items = items
            self._link(outer)

        visit(region, depth)
        self._choose_sources(region)

    def _readers(self) -> Dict[Layer, List[Layer]]:
        readers: Dict[Layer, List[Layer]] = {}
        for layer in self._root.layers():
            for source in layer.inputs:
                if isinstance(source, Layer):
                    readers.setdefault(source, []).append(layer)
        return readers

    def _choose_sources(self, region: Region) -> None:
        for item in region.items:
            if not isinstance(item, Region):
                continue
            members = set(item.layers())
            for layer in item.layers():
                outside = [source for source in layer.inputs if not isinstance(source, Layer) or source not in members]
                if outside:
                    item.source = outside[0]
                    break
            self._choose_sources(item)

    def _assign_names(self, region: Region, taken: Set[str]) -> None:
        used = set(taken) if region is self._root else set()
        for item in region.items:
            base = item.hint.replace(".", "/").lstrip("$")[:_MAX_NAME_BYTES] or "layer"
            name = base
            number = 1
            while name in used:
                number += 1
                name = f"{base}_{number}"
            used.add(name)
            self._names[item] = name
            if isinstance(item, Region):
                self._assign_names(item, taken)

    def _seen_from(self, region: Region, source: Source) -> Tuple[Optional[Region], Union[GraphInput, Layer, Region]]:
        """The region around `region`, or itself, that has the source beside its items, and the item that stands for it there."""
        if isinstance(source, GraphInput):
            return None, source
        around = []
        each: Optional[Region] = region
        while each is not None:
            around.append(each)
            each = each.parent
        item: Union[Layer, Region] = source
        holder = source.region
        while holder is not None and holder not in around:
            item, holder = holder, holder.parent
        assert holder is not None
        return holder, item

    def _avoid_hidden_names(self) -> None:
        """Renames what is read from within a sequence that has a layer of the same name."""
        fresh = 0
        changed = True
        while changed:
            changed = False
            for layer in self._root.layers():
                region = layer.region
                assert region is not None
                for source in layer.inputs + ([layer.tied_to] if layer.tied_to is not None else []):
                    holder, item = self._seen_from(region, source)
                    name = item.name if isinstance(item, GraphInput) else self._names[item]
                    each: Optional[Region] = region
                    while each is not None and each is not holder:
                        for other in each.items:
                            if self._names[other] == name:
                                fresh += 1
                                self._names[other] = f"{name}_{fresh + 1}_"
                                changed = True
                        each = each.parent

    def _body(self, region: Region, first_source: Optional[Source]) -> List[Dict[str, Any]]:
        body: List[Dict[str, Any]] = []
        previous: Optional[Source] = first_source
        for item in region.items:
            layer: Dict[str, Any] = {"name": self._names[item]}
            if isinstance(item, Region):
                source = item.source
                references = [] if source is None else [self._reference(region, source)]
                implied = source is None or previous is source
            else:
                references = [self._reference(region, source) for source in item.inputs]
                implied = len(item.inputs) == 1 and previous is item.inputs[0]
            if references and not implied:
                layer["inputs"] = references
            if isinstance(item, Region):
                layer["sequence"] = {"layers": _repeated(self._body(item, first_source=item.source))}
                last = item.last()
                before = getattr(item.source, "shape", None)
                layer["$shapes"] = (before, last.shape if last is not None else None)
                previous = last
            else:
                if item.shared:
                    layer["shared"] = True
                fields = dict(item.fields)
                if item.tied_to is not None:
                    _, visible = self._seen_from(region, item.tied_to)
                    if visible is item.tied_to:
                        fields["tied_to"] = self._names[item.tied_to]
                    else:
                        layer["shared"] = True
                layer[item.kind] = fields
                previous = item
            body.append(layer)
        return body

    def _reference(self, region: Region, source: Source) -> str:
        holder, item = self._seen_from(region, source)
        if holder is not region and region.source is source and region is not self._root:
            return "$input"
        return item.name if isinstance(item, GraphInput) else self._names[item]


def _all_layers(layers: List[Dict[str, Any]]) -> Iterable[Dict[str, Any]]:
    for layer in layers:
        yield layer
        if "sequence" in layer:
            yield from _all_layers(layer["sequence"]["layers"])


def _references(layers: Iterable[Dict[str, Any]]) -> List[str]:
    names: List[str] = []
    for layer in _all_layers(list(layers)):
        names += layer.get("inputs", [])
        if "tied_to" in layer.get("linear", {}):
            names.append(layer["linear"]["tied_to"])
    return names


def _rename(layers: List[Dict[str, Any]], old: str, new: str) -> None:
    for layer in _all_layers(layers):
        if "inputs" in layer:
            layer["inputs"] = [new if name == old else name for name in layer["inputs"]]


def _repeated(body: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Writes equal sequences in a row, each on the output of the one before, as one that repeats."""
    result: List[Dict[str, Any]] = []
    referenced = _references(body)
    begin = 0
    while begin < len(body):
        first = body[begin]
        end = begin + 1
        if "sequence" in first and first["$shapes"][0] == first["$shapes"][1]:
            while end < len(body) and _same(first, body[end]) and body[end - 1]["name"] not in referenced:
                end += 1
        if end - begin > 1:
            last = body[end - 1]["name"]
            merged = dict(first)
            merged["name"] = _range_name(first["name"], last)
            merged["repeat"] = end - begin
            merged = {key: merged[key] for key in ("name", "inputs", "repeat", "shared", "sequence", "$shapes") if key in merged}
            _rename(body[end:], last, merged["name"])
            result.append(merged)
        else:
            result.append(first)
        begin = end
    return result


def _same(first: Dict[str, Any], other: Dict[str, Any]) -> bool:
    """Whether `other` does what `first` does, on the layer before it."""
    return (
        "inputs" not in other
        and "sequence" in other
        and first["sequence"] == other["sequence"]
        and first["$shapes"] == other["$shapes"]
        and first.get("shared") == other.get("shared")
    )


def _range_name(first: str, last: str) -> str:
    """"layers/0" and "layers/79": "layers/0-79"."""
    prefix, slash, number = first.rpartition("/")
    last_prefix, _, last_number = last.rpartition("/")
    if prefix == last_prefix and number != last_number:
        return f"{prefix}{slash}{number}-{last_number}"
    return f"{first}-{last}".replace("/", "_")
