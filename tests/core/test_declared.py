"""What is read from the file of a scorer, a study ... is what the imported one says."""

import pytest

from lynkeus.core import plugins
from lynkeus.core.declared import Declared


@pytest.mark.slow
@pytest.mark.parametrize("group", plugins.BUILT_IN)
def test_what_is_read_from_a_file_is_what_the_class_says(group: str) -> None:
    for name in plugins.BUILT_IN[group]:
        found = plugins.declared(group, name)
        assert found.what
        assert found._replace(missing="") == Declared.of(plugins.load(group, name)), name
