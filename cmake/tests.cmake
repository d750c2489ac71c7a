# tests/unit and tests/engine: one program per file. tests/fuzz: libFuzzer programs in the fuzz
# build, replayed by a small main elsewhere. tests/tools: programs that the interop tests use.
sp_require(CMOCKA cmocka libcmocka-dev)
pkg_check_modules(JANSSON IMPORTED_TARGET jansson)
pkg_check_modules(LIBSSH IMPORTED_TARGET libssh)
pkg_check_modules(LIBSSH2 IMPORTED_TARGET libssh2)

# The C programs alone, and of these the ones that can have more than one thread: those of the rooms
# that have a loop. TSan sees nothing in the others.
add_custom_target(c_tests)
add_custom_target(thread_tests)
function(sp_c_test name kind)
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS ${kind})
  add_dependencies(c_tests ${name})
  if(name MATCHES "^(unit|engine|fuzz)_(loop|fs|server|sftp|scp)")
    set_tests_properties(${name} PROPERTIES LABELS "${kind};threads")
    add_dependencies(thread_tests ${name})
  endif()
endfunction()

function(sp_test_program name)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
  target_link_libraries(${name} PRIVATE sp_kem_support sallyport_static sp_options
    PkgConfig::CMOCKA ${SP_LINK})
  if(name MATCHES "_sallyportd")
    target_link_libraries(${name} PRIVATE sp_sallyportd_parts sallyport_static crypt)
  endif()
endfunction()

# An archive: only those who call it get it.
add_library(sp_engine_support STATIC ${PROJECT_SOURCE_DIR}/tests/engine/support/client.c)
target_include_directories(sp_engine_support PRIVATE ${PROJECT_SOURCE_DIR}/include
  ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(sp_engine_support PRIVATE sp_options PkgConfig::LIBCRYPTO
  sallyport_static)

# The client's half of ML-KEM and sntrup761, over the library's own polynomials.
add_library(sp_kem_support STATIC ${PROJECT_SOURCE_DIR}/tests/kem/mlkem_client.c
  ${PROJECT_SOURCE_DIR}/tests/kem/sntrup761_client.c)
target_include_directories(sp_kem_support PRIVATE ${PROJECT_SOURCE_DIR}/include
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(sp_kem_support PRIVATE sp_options sallyport_static)

# Optimised as the files of the library that it looks at.
set_property(SOURCE ${PROJECT_SOURCE_DIR}/tests/unit/crypto_timing.c APPEND PROPERTY
  COMPILE_OPTIONS -O3)

foreach(kind unit engine)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${kind}/*.c)
  foreach(source IN LISTS sources)
    get_filename_component(file ${source} NAME_WE)
    set(name ${kind}_${file})
    sp_test_program(${name} ${source})
    target_compile_definitions(${name} PRIVATE
      TEST_DATA_DIR="${PROJECT_SOURCE_DIR}/tests/${kind}/data"
      SALLYPORT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    if(kind STREQUAL engine)
      target_link_libraries(${name} PRIVATE sp_engine_support)
    endif()
    if(JANSSON_FOUND)
      target_compile_definitions(${name} PRIVATE SP_HAVE_JANSSON)
      target_link_libraries(${name} PRIVATE PkgConfig::JANSSON)
    endif()
    if(SP_WITH_SASLPREP)
      target_compile_definitions(${name} PRIVATE SP_HAVE_LIBIDN)
    endif()
    if(SP_WITH_UTF8PROC)
      target_compile_definitions(${name} PRIVATE SP_HAVE_UTF8PROC)
    endif()
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    sp_c_test(${name} ${kind})
  endforeach()
endforeach()

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  if(SP_FUZZ)
    sp_test_program(${name} ${source})
    target_link_libraries(${name} PRIVATE sp_engine_support)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    sp_test_program(${name} ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz/support/replay_main.c)
    target_link_libraries(${name} PRIVATE sp_engine_support)
    add_test(NAME ${name} COMMAND ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    sp_c_test(${name} fuzz)
  endif()
endforeach()

function(sp_tool name)
  add_executable(${name} ${ARGN})
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
  target_link_libraries(${name} PRIVATE sallyport sp_options PkgConfig::LIBUV PkgConfig::LIBCRYPTO)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tools)
endfunction()
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/tools/*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  set(extra)
  if(name STREQUAL "sk_provider") # a middleware that OpenSSH's programs load
    add_library(sk_provider MODULE ${source})
    target_link_libraries(sk_provider PRIVATE PkgConfig::LIBCRYPTO)
    set_target_properties(sk_provider PROPERTIES PREFIX "" C_VISIBILITY_PRESET default
      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tools)
    continue()
  endif()
  if(name MATCHES "_libssh(_sftp)?$" OR name STREQUAL "login_load")
    if(NOT LIBSSH_FOUND)
      continue()
    endif()
    set(extra PkgConfig::LIBSSH)
  elseif(name MATCHES "_libssh2$")
    if(NOT LIBSSH2_FOUND)
      continue()
    endif()
    set(extra PkgConfig::LIBSSH2)
  endif()
  sp_tool(${name} ${source})
  target_link_libraries(${name} PRIVATE ${extra})
endforeach()
# Not of the public headers: it looks into the library.
sp_test_program(kem_peer ${PROJECT_SOURCE_DIR}/tests/kem/peer.c)
set_target_properties(kem_peer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tools)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/tools/contract/*.c)
sp_tool(contract_server ${sources})

# Each row and form of the handler contract has a test that exists, and the table in docs/ says
# which: tests/handlers. The build fails when one is missing.
find_program(SP_PYTHON3 python3 PATHS /usr/bin)
if(NOT SP_PYTHON3)
  message(FATAL_ERROR "python3 was not found. On Debian: apt install python3 (or configure with "
    "-DSP_TESTS=OFF)")
endif()
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/interop/test_*.py
  ${PROJECT_SOURCE_DIR}/tests/unit/*.c ${PROJECT_SOURCE_DIR}/tests/engine/*.c
  ${PROJECT_SOURCE_DIR}/include/sallyport/*.h)
add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/handlers.checked
  COMMAND ${SP_PYTHON3} ${PROJECT_SOURCE_DIR}/tests/handlers/check.py --check --strict
  COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/handlers.checked
  DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/tests/handlers/check.py
    ${PROJECT_SOURCE_DIR}/tests/handlers/rows.txt ${PROJECT_SOURCE_DIR}/docs/handlers-tests.md
  COMMENT "Checking that each handler's forms have tests")
add_custom_target(handler_tests ALL DEPENDS ${PROJECT_BINARY_DIR}/handlers.checked)
