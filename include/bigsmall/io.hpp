// SPDX-License-Identifier: BSL-1.0
// Sources, sinks, safetensors layouts and the container. Including this makes you link boost_iostreams (for
// mapped files) and zstd (for the index), and needs the headers of nlohmann-json and xxHash.
#pragma once

#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_codec.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/container/recovery.hpp>
#include <bigsmall/io/container/writer.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/foreign_format.hpp>
#include <bigsmall/io/mapped_file.hpp>
#include <bigsmall/io/path_safety.hpp>
#include <bigsmall/io/posix.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/safetensors/header_parser.hpp>
#include <bigsmall/io/safetensors/layout.hpp>
#include <bigsmall/io/safetensors/tensor_record.hpp>
#include <bigsmall/io/sink.hpp>
#include <bigsmall/io/source.hpp>
#include <bigsmall/io/tensor_stream.hpp>
#include <bigsmall/io/zstd.hpp>
