"""What a QEMU tree's own generator says of schemas.

Usage: qemu_generator.py QEMU_SRC < paths, one per line
Prints one JSON object per path: the error or null, and the dump and both forms
of introspection of a schema that is accepted. Run in the folder that paths
count from.
"""
import contextlib
import importlib.util
import io
import json
import os
import sys

SRC = sys.argv[1]
sys.path.insert(0, os.path.join(SRC, 'scripts'))
sys.setrecursionlimit(20000)

from qapi.error import QAPIError  # noqa: E402
from qapi.introspect import QAPISchemaGenIntrospectVisitor  # noqa: E402
from qapi.schema import QAPISchema  # noqa: E402


def load_dumper():
    path = os.path.join(SRC, 'tests/qapi-schema/test-qapi.py')
    spec = importlib.util.spec_from_file_location('test_qapi', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.test_frontend


def plain(tree):
    """An introspection tree without its annotations."""
    value = getattr(tree, 'value', tree)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def introspect(schema, unmask):
    visitor = QAPISchemaGenIntrospectVisitor('', unmask)
    trees = []

    # The visitor's last act is to write its trees down as C: before that, they
    # are taken.
    def visit_end():
        for typ in visitor._used_types:
            typ.visit(visitor)
        trees.extend(plain(tree) for tree in visitor._trees)

    visitor.visit_end = visit_end
    schema.visit(visitor)
    return trees


def answer(path, dumper):
    try:
        schema = QAPISchema(path)
        reply = {'error': None}
        with contextlib.redirect_stdout(io.StringIO()) as out:
            dumper(path)
        reply['dump'] = out.getvalue()
        reply['masked'] = introspect(schema, False)
        reply['unmasked'] = introspect(schema, True)
        return reply
    except QAPIError as err:
        return {'error': str(err)}
    except Exception as err:  # the generator itself fails
        return {'error': None, 'crash': repr(err)}


def main():
    dumper = load_dumper()
    for line in sys.stdin:
        print(json.dumps(answer(line.rstrip('\n'), dumper)), flush=True)


main()
