"""Events of searches at a hadron collider as tables: inputs of published analyses, with weights, variations, truth."""
