// Which hits are noise, by a model of `lynkeus export`, with ONNX Runtime and nothing else.
//   c++ -std=c++17 -O2 filter_hits.cpp -I ONNXRUNTIME/include -L ONNXRUNTIME/lib -lonnxruntime -o filter_hits
//   filter_hits MODEL.onnx < hits.f32 > scores.f32      rows of float32, the columns of the model one after the other
// The columns are those in MODEL.onnx (metadata "lynkeus", schema, names), those of the neighbourhood among them.
#include <onnxruntime_cxx_api.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

// A number of the metadata, such as "threshold": -1.25.
static double number_of(const std::string& json, const std::string& name) {
  const auto at = json.find("\"" + name + "\":");
  if (at == std::string::npos) throw std::runtime_error("the model says nothing of its " + name);
  return std::stod(json.substr(at + name.size() + 3));
}

int main(int many, char** given) try {
  if (many != 2) throw std::runtime_error("give MODEL.onnx; hits come from the standard input");
  Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "filter_hits");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);  // a process for each core: events are independent
  Ort::Session session(environment, given[1], options);
  Ort::AllocatorWithDefaultOptions allocator;
  const auto metadata = session.GetModelMetadata();
  const std::string about = metadata.LookupCustomMetadataMapAllocated("lynkeus", allocator).get();
  const double threshold = number_of(about, "threshold");
  const auto columns = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape().at(1);

  const size_t block = 4096;  // hits at a time
  std::vector<float> values(block * columns);
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::array<const char*, 1> inputs{"values"}, outputs{"scores"};
  size_t hits = 0, removed = 0;
  double seconds = 0;
  while (const size_t read = std::fread(values.data(), sizeof(float) * columns, block, stdin)) {
    const std::array<int64_t, 2> shape{static_cast<int64_t>(read), columns};
    auto tensor = Ort::Value::CreateTensor<float>(memory, values.data(), read * columns, shape.data(), shape.size());
    const auto start = std::chrono::steady_clock::now();
    auto found = session.Run(Ort::RunOptions{nullptr}, inputs.data(), &tensor, 1, outputs.data(), 1);
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const float* scores = found.front().GetTensorData<float>();
    for (size_t k = 0; k < read; ++k) removed += !std::isnan(scores[k]) && scores[k] > threshold;
    std::fwrite(scores, sizeof(float), read, stdout);
    hits += read;
  }
  std::fprintf(stderr, "%zu hits, %zu removed above %g, %.0f hits/s\n", hits, removed, threshold, hits / seconds);
} catch (const std::exception& error) {
  std::fprintf(stderr, "filter_hits: %s\n", error.what());
  return 2;
}
