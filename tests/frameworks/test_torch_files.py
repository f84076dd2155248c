"""What PyTorch writes: exported programs and state dicts, from files and in memory."""

import copy
import os
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402
from torch.export import Dim, export, save  # noqa: E402

from numbatch.convert.torch import from_torch  # noqa: E402
from numbatch.wire.errors import CorruptModelError, InvalidModelError, UnsupportedError  # noqa: E402
from support.torch_agreement import assert_agrees  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")

FIXTURES = Path(__file__).parents[1] / "convert" / "fixtures"


def small() -> Any:
    torch.manual_seed(0)
    layers = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Linear(8, 3), nn.LayerNorm(3), nn.Softmax(-1)
    module = nn.Sequential(*layers)
    nn.init.normal_(module[1].running_mean)
    return module.eval()


def dynamic(module: Any, example: Any) -> Any:
    return export(module, (example,), dynamic_shapes=({0: Dim.AUTO},))


@pytest.mark.parametrize("fixture", ["torch_recommender.pt2", "torch_fixed.pt2", "torch_tabular.pt2"])
def test_the_reference_of_a_file_is_pytorch_itself(fixture: str) -> None:
    assert_agrees(from_torch(FIXTURES / fixture))


def test_a_module_its_program_and_its_file_make_the_same_model(tmp_path: Path) -> None:
    program = dynamic(small(), torch.zeros(2, 4))
    save(program, tmp_path / "m.pt2")
    models = [from_torch(each, name="m").model for each in (small(), program, tmp_path / "m.pt2")]
    assert models[0] == models[1] == models[2]
    for source in (program, tmp_path / "m.pt2"):
        assert_agrees(from_torch(source))


def test_a_decomposed_program_is_read_too() -> None:
    program = dynamic(small(), torch.zeros(2, 4)).run_decompositions()
    targets = {str(node.target) for node in program.graph.nodes}
    assert {"aten.addmm.default", "aten.native_layer_norm.default"} <= targets
    assert_agrees(from_torch(program))


def test_a_program_in_training_mode_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"call eval\(\) before exporting"):
        from_torch(dynamic(small().train(), torch.zeros(2, 4)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_programs_of_other_widths_compute_in_float32(dtype: Any, tmp_path: Path) -> None:
    module = small().to(dtype)
    program = dynamic(module, torch.zeros(2, 4, dtype=dtype))
    save(program, tmp_path / "m.pt2")
    for source in (program, tmp_path / "m.pt2"):
        converted = from_torch(source)
        assert_agrees(converted)
        assert any("the model computes in float32" in note for note in converted.notes)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_modules_of_other_widths_compute_in_float32(dtype: Any) -> None:
    module = small().to(dtype)
    converted = from_torch(module)
    assert_agrees(converted)
    assert f"Weights of {dtype} were rounded to float32, in which everything is computed." in converted.notes
    assert module[0].weight.dtype is dtype, "the module is not changed"


def test_a_module_is_not_changed() -> None:
    module = small().train()
    before = copy.deepcopy(module.state_dict())
    notes = from_torch(module).notes
    assert module.training
    assert notes[0] == "The module was in training mode; it was converted as in evaluation mode."
    assert all(torch.equal(each, before[name]) for name, each in module.state_dict().items())


@pytest.mark.parametrize("place", ["", "state_dict", "model_state_dict"])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_state_dict_is_loaded_into_a_copy_of_a_module(suffix: str, place: str, tmp_path: Path) -> None:
    trained, fresh = small(), nn.Sequential(*(copy.deepcopy(each) for each in small()))
    nn.init.zeros_(fresh[0].weight)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(trained.state_dict(), path)
    else:
        torch.save({place: trained.state_dict(), "epoch": 3} if place else trained.state_dict(), path)
    converted = from_torch(path, architecture=fresh)
    assert converted.model == from_torch(trained, name="weights").model
    assert_agrees(converted)
    assert not fresh[0].weight.any()


def test_a_state_dict_in_memory() -> None:
    assert from_torch(small().state_dict(), architecture=small(), name="m").model == from_torch(small(), name="m").model


def test_weights_of_another_module_are_refused() -> None:
    with pytest.raises(InvalidModelError, match=r"architecture: .*Missing key.* \"0.weight\""):
        from_torch({"fc.weight": torch.zeros(2, 3)}, architecture=small())


class Harmful:
    def __reduce__(self) -> Any:
        return os.mkdir, ("unpickled",)


def test_what_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in (Harmful(), small()):
        torch.save(content, tmp_path / "m.pt")
        with pytest.raises(UnsupportedError, match=r"m.pt: it holds more than tensors, .* save the weights alone"):
            from_torch(tmp_path / "m.pt", architecture=small())
    assert not (tmp_path / "unpickled").exists()


def test_files_that_are_no_state_dicts_are_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(3)], tmp_path / "list.pt")
    with pytest.raises(UnsupportedError, match="list.pt: got list, expected a state dict"):
        from_torch(tmp_path / "list.pt", architecture=small())
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(CorruptModelError, match="cut.pt: no state dict"):
        from_torch(tmp_path / "cut.pt", architecture=small())
    with pytest.raises(CorruptModelError, match="absent.pt: No such file"):
        from_torch(tmp_path / "absent.pt", architecture=small())


@pytest.mark.filterwarnings("ignore:No complete tensor found:UserWarning")  # PyTorch's, of its own arrays
def test_strided_and_shared_weights_are_read_as_they_are(tmp_path: Path) -> None:
    """Arrays in a file have strides and places of their own, and two may be one."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Linear(4, 6)
            self.down = nn.Linear(6, 4)
            self.up.weight = nn.Parameter(torch.randn(4, 6).t())
            self.again = self.up

        def forward(self, x: Any) -> Any:
            return self.again(self.down(self.up(x)))

    module = Tied().eval()
    assert not module.up.weight.is_contiguous()
    save(dynamic(module, torch.zeros(2, 4)), tmp_path / "m.pt2")
    converted = from_torch(tmp_path / "m.pt2", name="Tied")
    assert_agrees(converted)
    assert converted.model == from_torch(module).model
