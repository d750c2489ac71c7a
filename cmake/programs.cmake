# sallyportd and the examples: on the public API alone, so with include/ as their only folder.
function(sp_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE sallyport sp_options)
endfunction()

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/sallyportd/*.c)
sp_program(sallyportd ${sources})
target_link_libraries(sallyportd PRIVATE crypt)

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  sp_program(${name} ${source})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
endforeach()
