# The build's own vocabulary: one target per folder, its unit tests beside it.

set(PLANNER_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
                     -Wold-style-cast -Woverloaded-virtual -Werror
                     # A designated initializer leaves out what has a default: that is what it is for.
                     -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees overlaps in std::string that are none (GCC bug 105651).
  list(APPEND PLANNER_WARNINGS -Wno-restrict)
endif()
if(PLANNER_THREAD_SAFETY)
  list(APPEND PLANNER_WARNINGS -Wthread-safety)
endif()

function(planner_compile_options TARGET)
  target_include_directories(${TARGET} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${TARGET} PRIVATE ${PLANNER_WARNINGS})
  if(PLANNER_TIDY)
    set_target_properties(${TARGET} PROPERTIES CXX_CLANG_TIDY "clang-tidy;--quiet")
  endif()
endfunction()

# planner_library(NAME core_perf DEPS core_base core_model [TEST_DEPS ...] [EMBED file...] [LABELS unit])
# The library is every *.cc of the folder but tests, benchmarks, fakes and main.cc; the tests are every *_test.cc, in one
# program NAME_test whose cases ctest lists one by one. EMBED names data files (relative to the folder) that the library
# carries as std::string_view constants: see planner_embed.
function(planner_library)
  cmake_parse_arguments(ARG "" "NAME" "DEPS;TEST_DEPS;EMBED;LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_benchmark|/main)\\.cc$")
  if(ARG_EMBED)
    planner_embed(${ARG_NAME} "${ARG_EMBED}" embedded_source)
    list(APPEND sources ${embedded_source})
  endif()
  planner_either("${ARG_DEPS}" deps)
  if(sources)
    add_library(${ARG_NAME} STATIC ${sources})
    planner_compile_options(${ARG_NAME})
    target_link_libraries(${ARG_NAME} PUBLIC ${deps})
  else()
    add_library(${ARG_NAME} INTERFACE)
    target_link_libraries(${ARG_NAME} INTERFACE ${deps})
  endif()
  if(tests AND BUILD_TESTING)
    planner_test(NAME ${ARG_NAME}_test SOURCES ${tests} DEPS ${ARG_NAME} ${ARG_TEST_DEPS} LABELS ${ARG_LABELS})
  endif()
endfunction()

# planner_test(NAME core_perf_test SOURCES a_test.cc DEPS core_perf [LABELS unit] [WHOLE [TIMEOUT 120]])
# WHOLE: ctest runs the program once, not each case by itself: for cases that share what takes long to start.
function(planner_test)
  cmake_parse_arguments(ARG "WHOLE" "NAME;TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  planner_compile_options(${ARG_NAME})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(ARG_WHOLE)
    add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
    set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
  else()
    gtest_discover_tests(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} DISCOVERY_TIMEOUT 60)
  endif()
endfunction()

# planner_embed(TARGET "a.json;b.json" OUT_VAR): a generated source that defines, for the embedded files,
#   std::span<const planner::base::EmbeddedFile> EmbeddedFiles_<TARGET>();
# declared by whoever uses it (core/base/embedded_file.h has the type).
function(planner_embed TARGET FILES OUT_VAR)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${TARGET}_embedded.cc)
  set(absolute "")
  foreach(file IN LISTS FILES)
    list(APPEND absolute ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  add_custom_command(
    OUTPUT ${generated}
    COMMAND python3 ${PROJECT_SOURCE_DIR}/tests/support/embed.py ${TARGET} ${CMAKE_CURRENT_SOURCE_DIR} ${generated} ${FILES}
    DEPENDS ${absolute} ${PROJECT_SOURCE_DIR}/tests/support/embed.py
    VERBATIM)
  set(${OUT_VAR} ${generated} PARENT_SCOPE)
endfunction()
